//! What gates say becomes events.

use ffrpc::Message;
use protocol::{Login, SessionId, v1};

use crate::{Enter, Event, Leave, Stay};

/// What a message is read as, or why it cannot be.
pub(super) type Read<T = Event> = Result<T, String>;

/// Reads a message.
pub(super) type Reader = fn(&Message) -> Read;

fn decode<M: prost::Message + Default>(message: &Message) -> Read<M> {
    M::decode(message.body.clone()).map_err(|error| error.to_string())
}

fn read_session(session_id: &str) -> Read<SessionId> {
    session_id
        .parse()
        .map_err(|error: protocol::NameError| error.to_string())
}

pub(super) fn read_enter(message: &Message) -> Read {
    let body: v1::Enter = decode(message)?;
    Ok(Event::Enter(Box::new(Enter {
        gate: message.source,
        session: read_session(&body.session_id)?,
        login: Login(body.login),
        holding: body.holding,
        online_time: body.online_time,
        from_scene: body.from_scene,
        extra_data: body.extra_data,
    })))
}

pub(super) fn read_frame(message: &Message) -> Read {
    let body: v1::Frame = decode(message)?;
    let cmd = u16::try_from(body.cmd).map_err(|_| format!("no cmd is {}", body.cmd))?;
    Ok(Event::Frame {
        gate: message.source,
        login: Login(body.login),
        cmd,
        body: body.body,
    })
}

pub(super) fn read_offline(message: &Message) -> Read {
    let body: v1::Offline = decode(message)?;
    Ok(Event::Offline {
        gate: message.source,
        login: Login(body.login),
        holding: body.holding,
    })
}

pub(super) fn read_leave(message: &Message) -> Read {
    let body: v1::LeaveMarker = decode(message)?;
    Ok(Event::Leave(Box::new(Leave {
        gate: message.source,
        login: Login(body.login),
        holding: body.holding,
        to_scene: body.to_scene,
        extra_data: body.extra_data,
    })))
}

pub(super) fn read_stay(message: &Message) -> Read {
    let body: v1::Stay = decode(message)?;
    Ok(Event::Stay(Box::new(Stay {
        gate: message.source,
        login: Login(body.login),
        to_scene: body.to_scene,
        reason: body.reason,
    })))
}

/// What a gate reports: its sessions, and whether that is all.
pub(super) fn read_report(message: &Message) -> Read<(Vec<(SessionId, Login)>, bool)> {
    let body: v1::Logins = decode(message)?;
    let held: Read<Vec<_>> = body
        .logins
        .into_iter()
        .map(|held| Ok((read_session(&held.session_id)?, Login(held.login))))
        .collect();
    Ok((held?, body.complete))
}

pub(super) fn read_ended(message: &Message) -> Read<Vec<Login>> {
    let body: v1::Ended = decode(message)?;
    Ok(body.logins.into_iter().map(Login).collect())
}
