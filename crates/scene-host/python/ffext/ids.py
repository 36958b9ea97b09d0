"""Ids that are given once in a group."""

import _ffext


def alloc_id():
    """A number that no call of this has given before, in any scene of the group, and
    none will give again: also after restarts, and when the clock steps back::

        item = Item(ffext.alloc_id(), 'sword')

    It is positive and below 2**63, so that it fits a BIGINT, and those of a scene
    rise. Browsers' numbers end at 2**53: send it there as text.

    ================= ======================================================
    bits 22 to 62      milliseconds since 2025-01-01, UTC: enough until 2094
    bits 12 to 21      a sequence within the millisecond
    bits 0 to 11       the number in the scene's name: ``scene@0`` to
                       ``scene@4095``
    ================= ======================================================

    A scene may take a million a second for as long as it likes. One that takes more
    gets them as well: they run ahead of the clock, and so do those of a scene whose
    clock has stepped back.

    How far a scene has come is kept in its state folder (``state_dir`` in the
    topology), in the file ``ids``, and written ahead for a minute: that, and no more
    often, is what a call waits for the disk. The folder has to stay with the scene:
    where it is lost, or there is none, ids are unique as long as the clock has not
    stepped back meanwhile. Two groups give the same ids.

    Raises ``RuntimeError`` if the file is damaged or cannot be written, and for
    scenes beyond ``scene@4095``; the text says what to do.
    """
    return _ffext.alloc_id()
