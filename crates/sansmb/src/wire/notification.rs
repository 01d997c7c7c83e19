//! SERVER_TO_CLIENT_NOTIFICATION, [MS-SMB2] 2.2.44 (3.1.1).

use zerocopy::little_endian::{U16, U32};

use super::{Body, DecodeError, HEADER_LEN, Writer, fixed_at};

open_enum! {
    /// SMB_NOTIFICATION_ID
    pub struct NotificationType: u32 {
        /// The session was closed by the server.
        NOTIFY_SESSION_CLOSED = 0,
    }
}

layout! {
    pub struct NotificationFixed [8] {
        structure_size: U16,
        reserved: U16,
        notification_type: U32,
    }
}

/// SMB2 SERVER_TO_CLIENT Notification, [MS-SMB2] 2.2.44.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerToClientNotification<'m> {
    /// What it is about.
    pub notification_type: NotificationType,
    /// The structure of that type: four reserved bytes for a session that was closed.
    pub notification: &'m [u8],
}

impl ServerToClientNotification<'_> {
    /// The session of the header was closed.
    pub const SESSION_CLOSED: ServerToClientNotification<'static> = ServerToClientNotification {
        notification_type: NotificationType::NOTIFY_SESSION_CLOSED,
        notification: &[0; 4],
    };
}

impl<'m> Body<'m> for ServerToClientNotification<'m> {
    const NAME: &'static str = "SERVER_TO_CLIENT notification";
    /// The fixed part and SMB2_NOTIFY_SESSION_CLOSED.
    const STRUCTURE_SIZE: u16 = 12;
    type Fixed = NotificationFixed;

    fn from_parts(f: &'m NotificationFixed, msg: &'m [u8]) -> Result<Self, DecodeError> {
        Ok(Self {
            notification_type: NotificationType(f.notification_type.get()),
            notification: msg.get(HEADER_LEN + size_of::<NotificationFixed>()..).unwrap_or_default(),
        })
    }

    fn encode(&self, w: &mut Writer<'_>) {
        w.put(&NotificationFixed {
            structure_size: U16::new((size_of::<NotificationFixed>() + self.notification.len()) as u16),
            reserved: U16::ZERO,
            notification_type: U32::new(self.notification_type.0),
        });
        w.bytes(self.notification);
    }

    /// Takes any StructureSize: "the size of the structure" depends on the type, and the
    /// specification does not say whether it counts the variable part.
    fn decode(msg: &'m [u8]) -> Result<Self, DecodeError> {
        Self::from_parts(fixed_at(msg, HEADER_LEN, Self::NAME)?, msg)
    }
}
