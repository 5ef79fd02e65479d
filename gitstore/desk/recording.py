"""The dictionaries that a tried jobtype gets: they note what it reads, and refuse writes.

The driver imports this on Python 2.7, so types are in comments.
"""


class Data(dict):  # type: ignore[type-arg]  # Python 2.7 has no dict[str, object]
    """A job's ``data``, which notes the keys that are *read*, and those that are *missed*."""

    def __init__(self, values):
        # type: (dict[str, object]) -> None
        super(Data, self).__init__(values)
        self.read = set()  # type: set[str]
        self.missed = set()  # type: set[str]

    def _note(self, key):
        # type: (object) -> None
        there = self.read if super(Data, self).__contains__(key) else self.missed
        there.add("%s" % (key,))

    def __getitem__(self, key):
        # type: (str) -> object
        self._note(key)
        return super(Data, self).__getitem__(key)

    def __contains__(self, key):
        # type: (object) -> bool
        self._note(key)
        return super(Data, self).__contains__(key)

    def get(self, key, default=None):
        # type: (str, object) -> object
        """The value of *key*, or *default*."""
        self._note(key)
        return super(Data, self).get(key, default)

    def pop(self, key, *default):
        # type: (str, object) -> object
        """The value of *key*, which is taken away, or the default."""
        self._note(key)
        return super(Data, self).pop(key, *default)

    def __iter__(self):  # type: ignore[no-untyped-def]
        self.read.update(super(Data, self).keys())
        return super(Data, self).__iter__()

    def keys(self):  # type: ignore[no-untyped-def]
        """All keys, which count as read."""
        self.read.update(super(Data, self).keys())
        return super(Data, self).keys()

    def values(self):  # type: ignore[no-untyped-def]
        """All values, whose keys count as read."""
        self.read.update(super(Data, self).keys())
        return super(Data, self).values()

    def items(self):  # type: ignore[no-untyped-def]
        """All pairs, whose keys count as read."""
        self.read.update(super(Data, self).keys())
        return super(Data, self).items()


class ReadOnly(dict):  # type: ignore[type-arg]  # as above
    """A dictionary that can't be changed, as the agent's assignment can't."""

    def _refuse(self, *args, **kwargs):
        # type: (*object, **object) -> None
        raise RuntimeError("Cannot modify a read-only dictionary.")

    __setitem__ = __delitem__ = _refuse
    clear = pop = setdefault = update = _refuse
    popitem = _refuse  # type: ignore[assignment]  # it returns nothing: it raises
    __ior__ = _refuse  # type: ignore[assignment]  # likewise
