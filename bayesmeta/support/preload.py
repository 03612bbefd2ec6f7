"""Imported by the process that workers are forked from: it imports what they need."""

from bayesmeta.support.processes import import_preloaded

import_preloaded()
