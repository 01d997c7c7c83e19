//! What follows the head of a message.

use bytes::Bytes;

use super::MessageBuffer;

/// A bulk payload that is sent behind the head of a message.
#[derive(Debug, Clone)]
pub enum Payload {
    /// None.
    Empty,
    /// Bytes that somebody else holds too: sent from where they lie.
    Shared(Bytes),
    /// Memory of its own with room in front: headers and ciphers work in place.
    Buffer(MessageBuffer),
}

impl Payload {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Shared(bytes) => bytes,
            Self::Buffer(buffer) => buffer.payload(),
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }
}

impl From<MessageBuffer> for Payload {
    fn from(buffer: MessageBuffer) -> Self {
        Self::Buffer(buffer)
    }
}
