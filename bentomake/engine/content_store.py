"""The content store: blobs, and the trees that are kept among them."""

from __future__ import annotations

from collections.abc import Iterator

from .blobs import Blobs, Changed, Missing, hashed_at
from .digest import Digest
from .tree import FILE, TREE, Dumped, Tree, check_links, differing, dumped, load, under

__all__ = ["Changed", "ContentStore", "Missing", "hashed_at"]

_TREES = 32  # kept in memory


class ContentStore(Blobs):
    """Blobs and trees below `root`; safe for many processes at once, since a blob arrives by rename."""

    def __init__(self, root: str):
        super().__init__(root)
        self._trees: dict[Digest, Tree] = {}  # the last that this process read or put
        self._below: dict[tuple[str, Digest], Tree] = {}  # path, a tree that it stands for → the files

    def complete(self, tree: Tree) -> bool:
        """Whether every blob of a tree is there."""
        return not self.lacking(tree.values())

    def put_tree(self, tree: Tree) -> Digest:
        """Keep a tree; the trees that it names must be there."""
        return self.put_dumped(dumped(tree))

    def put_dumped(self, dumped: Dumped) -> Digest:
        if not self.has(dumped.digest):
            self._write(dumped.text, dumped.digest, FILE)
        self._keep(dumped.digest, dumped.tree)
        return dumped.digest

    def tree(self, digest: Digest) -> Tree:
        """A tree that was put, with all files of the trees that it names; Missing if one, or its form, is damaged."""
        return self.whole(self.shallow(digest))

    def whole(self, tree: Tree) -> Tree:
        """A tree with the files of the trees that it names."""
        inner = [path for path, (_, mode) in tree.items() if mode == TREE]
        if not inner:
            return tree
        found = {path: entry for path, entry in tree.items() if entry.mode != TREE}
        for path in inner:
            name = path, tree[path].digest
            if name not in self._below:
                self._below[name] = under(path, self.tree(tree[path].digest))
            found |= self._below[name]
        try:
            check_links(found)
        except ValueError as error:
            raise Missing(str(error)) from error
        return found

    def reach(self, digest: Digest) -> Iterator[Digest]:
        """Every blob that a tree needs, and its own."""
        yield digest
        for entry in self.shallow(digest).values():
            yield from self.reach(entry.digest) if entry.mode == TREE else (entry.digest,)

    def shallow(self, digest: Digest) -> Tree:
        """A tree as it was put: one that it names is one entry."""
        tree = self._trees.get(digest)
        if tree is None:
            try:
                tree = load(self.read(digest))
            except ValueError as error:
                raise Missing(str(error)) from error
            self._keep(digest, tree)
        return tree

    def _keep(self, digest: Digest, tree: Tree) -> None:
        with self._lock:
            if len(self._trees) >= _TREES:
                del self._trees[next(iter(self._trees))]
            self._trees[digest] = tree

    def differing(self, old: Digest, new: Digest) -> tuple[Tree, Tree]:
        """Two trees without what both have; Missing if one, or its form, is damaged."""
        try:
            before, after = differing(self.read(old), self.read(new))
        except ValueError as error:
            raise Missing(str(error)) from error
        for path in [path for path, entry in before.items() if entry.mode == TREE]:
            if path in after and after[path].mode == TREE:
                inner = self.differing(before.pop(path).digest, after.pop(path).digest)
                before |= under(path, inner[0])
                after |= under(path, inner[1])
        return self.whole(before), self.whole(after)
