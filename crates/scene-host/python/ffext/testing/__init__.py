"""Tests of scripts, with pytest or whatever else, and without a daemon.

A test loads the script into a :class:`Scene`, and plays what is around it::

    import ffext.testing

    def test_everybody_hears_what_is_said():
        with ffext.testing.Scene('main.py') as scene:
            ann, ben = scene.login('ann'), scene.login('ben')
            ann.send(1, ['hello'])
            assert ben.expect(1) == {'from': 'ann', 'text': 'hello'}

The script is loaded as a scene loads it, and ``ffext`` checks what it is given as
it does there. Time is the test's: a timer of an hour runs when the test says that an
hour has passed (:meth:`Scene.advance`).
"""

from .records import LogEntry, Message, ScriptError
from .scene import Scene
from .session import Refused, Session

__all__ = ["LogEntry", "Message", "Refused", "Scene", "ScriptError", "Session"]
