"""Everything that is printed or logged is one entry a line."""

import logging
import threading
import unittest

from . import fake_host

from ffext import log


class Log(unittest.TestCase):
    def setUp(self):
        fake_host.forget()

    def test_each_line_is_an_entry_and_the_rest_waits(self):
        stream = log.LogStream("stdout", log.INFO)
        print("one", "two", file=stream)
        print("three", end="", file=stream)
        self.assertEqual(fake_host.logged, [(20, "stdout", "one two")])
        print("\n\nfour", file=stream, end="", flush=True)
        self.assertEqual([text for *_, text in fake_host.logged], ["one two", "three", "four"])

    def test_a_line_without_end_is_written_in_pieces(self):
        stream = log.LogStream("stdout", log.INFO)
        stream.write("x" * (log.LONGEST_LINE + 1))
        self.assertEqual(len(fake_host.logged), 1)

    def test_what_is_no_unicode_is_shown_all_the_same(self):
        print("half \ud800", file=log.LogStream("stdout", log.INFO))
        log.LOGINFO("a", "\udfff")
        self.assertEqual([text for *_, text in fake_host.logged], ["half \\ud800", "\\udfff"])

    def test_lines_of_several_threads_do_not_mix(self):
        stream = log.LogStream("stdout", log.INFO)
        stream.write("mine ")
        other = threading.Thread(target=stream.write, args=("theirs\n",))
        other.start()
        other.join()
        stream.write("too\n")
        self.assertEqual([text for *_, text in fake_host.logged], ["theirs", "mine too"])

    def test_only_text_is_written(self):
        with self.assertRaises(TypeError):
            log.LogStream("stdout", log.INFO).write(b"bytes")

    def test_records_of_logging_arrive_with_their_level_and_name(self):
        handler = log.LogHandler()
        logger = logging.Logger("game.combat")
        logger.addHandler(handler)
        logger.warning("hit %d", 3)
        self.assertEqual(fake_host.logged, [(30, "game.combat", "hit 3")])

    def test_the_functions_take_anything(self):
        log.LOGINFO("mod", "text")
        log.LOGFATAL(1, None)
        log.ERROR("a", 1)
        self.assertEqual(
            fake_host.logged, [(20, "mod", "text"), (40, "1", "None"), (40, "script", "a 1")]
        )
