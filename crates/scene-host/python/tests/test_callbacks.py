"""What a script finds in the package, and what happens to sessions."""

from . import fake_host
from .case import SceneCase

import ffext


class PackageTest(SceneCase):
    def test_every_name_is_there_and_in_order(self):
        self.assertEqual(ffext.__all__, sorted(ffext.__all__))
        for name in ffext.__all__:
            self.assertTrue(hasattr(ffext, name), name)

    def test_the_functions_for_sessions_and_channels_are_there(self):
        for name in (
            "broadcast_msg_gate",
            "change_session_scene",
            "join_channel",
            "leave_channel",
            "send_channel",
        ):
            self.assertIn(name, ffext.__all__)

    def test_who_registers_callbacks_is_told_what_they_get(self):
        for kind in ("verify", "enter", "leave", "offline"):
            function = getattr(ffext, f"session_{kind}_callback")
            self.assertIn("``f(session_", function.__doc__)
        self.assertIn("goes along instead", ffext.session_leave_callback.__doc__)


class LeaveTest(SceneCase):
    async def test_a_leave_callback_is_in_force_and_replaced_by_the_next_load(self):
        source = """
        import ffext
        @ffext.session_leave_callback
        def leave(session_id, to_scene, extra_data):
            return {}
        """
        self.load(source.format("b'one'"))
        before = fake_host.installed["leave"]
        self.assertEqual(before("ann", "scene@1", b""), b"one")
        self.load(source.format("b'two'"))
        self.assertEqual(fake_host.installed["leave"]("ann", "scene@1", b""), b"two")
        # The function itself runs the new code: what is under way is not left behind.
        self.assertEqual(before("ann", "scene@1", b""), b"two")

    async def test_a_script_without_a_leave_callback_has_none(self):
        self.load("import ffext\n@ffext.session_leave_callback\ndef leave(*_): pass")
        self.load("import ffext")
        self.assertNotIn("leave", fake_host.installed)
        with self.assertRaises(TypeError):
            ffext.session_leave_callback(5)
