"""Git worktrees of runs: made, looked at, kept, removed. An adapter to git that knows nothing of the ledger.

Every effect carries the run id in its names. Nothing here touches the main checkout's files, index or HEAD.
"""

from __future__ import annotations

from harnessos.worktrees.accepted import accept, accepted, accepted_commit, is_merged, retract
from harnessos.worktrees.changes import Changed, TreeState, changed_files, conflict_markers, diff, status
from harnessos.worktrees.checkouts import Checkout, clean_checkout, remove_checkout, restore_salvage
from harnessos.worktrees.creation import Worktree, create
from harnessos.worktrees.hooks import run_hook
from harnessos.worktrees.includes import copy_includes, copy_paths
from harnessos.worktrees.index_locks import IndexLock, clear_orphan_lock, index_locks, orphan_locks
from harnessos.worktrees.joining import Merge
from harnessos.worktrees.leftovers import commit_leftovers
from harnessos.worktrees.listing import Listed, list_worktrees, serialised
from harnessos.worktrees.naming import branch_name, salvage_ref, worktree_path
from harnessos.worktrees.removal import GOING, dismantle, holders_of, remove
from harnessos.worktrees.repository import (
    Head,
    Repository,
    fork_point,
    has_commit,
    head,
    head_of,
    is_ancestor,
    newest_of,
    open_repository,
    resolve,
    root_commit,
)
from harnessos.worktrees.retention import Entry, Removal, plan_gc
from harnessos.worktrees.salvage import Salvage, find_salvage, list_salvage, salvage
from harnessos.worktrees.staging import nested_repositories, unhide

__all__ = [
    "GOING",
    "Changed",
    "Checkout",
    "Entry",
    "Head",
    "IndexLock",
    "Listed",
    "Merge",
    "Removal",
    "Repository",
    "Salvage",
    "TreeState",
    "Worktree",
    "accept",
    "accepted",
    "accepted_commit",
    "branch_name",
    "changed_files",
    "clean_checkout",
    "clear_orphan_lock",
    "commit_leftovers",
    "conflict_markers",
    "copy_includes",
    "copy_paths",
    "create",
    "diff",
    "dismantle",
    "find_salvage",
    "fork_point",
    "has_commit",
    "head",
    "head_of",
    "holders_of",
    "index_locks",
    "is_ancestor",
    "is_merged",
    "list_salvage",
    "list_worktrees",
    "nested_repositories",
    "newest_of",
    "open_repository",
    "orphan_locks",
    "plan_gc",
    "remove",
    "remove_checkout",
    "resolve",
    "restore_salvage",
    "retract",
    "root_commit",
    "run_hook",
    "salvage",
    "salvage_ref",
    "serialised",
    "status",
    "unhide",
    "worktree_path",
]
