"""Folders that tests read."""

from pathlib import Path

TESTS_FOLDER = Path(__file__).resolve().parent
ROOT_FOLDER = TESTS_FOLDER.parent
FIXTURES_FOLDER = TESTS_FOLDER / "fixtures"
REFERENCE_FOLDER = TESTS_FOLDER / "reference"
REVIEWS_FOLDER = ROOT_FOLDER / "reviews"
SCRIPTS_FOLDER = ROOT_FOLDER / "scripts"
PUBLISHED_FOLDER = TESTS_FOLDER / "published" / "data"
