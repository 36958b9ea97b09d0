"""A script that does next to nothing, for tests that look at everything else."""

import ffext


@ffext.session_verify_callback
def verify(session_key, online_time, ip, gate_name):
    return [session_key, ""]


@ffext.session_call(1, type="raw")
def echo(session_id, body):
    ffext.send_msg_session(session_id, 1, body)
