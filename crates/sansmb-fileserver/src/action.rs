//! What a file server wants done: jobs for a storage and answers for a connection.

use std::{collections::VecDeque, sync::Arc};

use sansmb::{
    server::{
        AuthReply, Channel, ConnId, Event, Failure, Message, Op, Reply, RequestId, Server, Sessions, Token,
        TreeConnectReply, op,
    },
    wire::NtStatus,
};

use crate::{
    caching::BreakOrder,
    storage::{Job, Storage},
    store::{OpenStore, StoreJob},
};

/// Names a job until it is completed; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub(crate) u64);

/// Something to do, in the order of [`FileServer::poll_action`](crate::FileServer::poll_action).
#[derive(Debug)]
#[non_exhaustive]
pub enum Action {
    /// Submit `job` to `storage` and bring the outcome back under `id`.
    Job {
        /// Whose job it is.
        storage: Arc<dyn Storage>,
        /// Under which name its outcome comes back.
        id: JobId,
        /// What.
        job: Job,
    },
    /// Submit `job` to `store` and bring the outcome back under `id`, to
    /// [`FileServer::stored`](crate::FileServer::stored).
    Store {
        /// The store of the server.
        store: Arc<dyn OpenStore>,
        /// Under which name its outcome comes back.
        id: JobId,
        /// What.
        job: StoreJob,
    },
    /// Deliver an answer.
    Respond(Response),
    /// Tell a client that it may cache less. It must not overtake the answers before it.
    Break(BreakOrder),
}

/// An answer to one request, or the news that its answer takes a while.
#[derive(Debug)]
pub struct Response {
    conn: ConnId,
    /// Boxed: it is moved often, and is long.
    answer: Box<Answer>,
}

/// Answers that any channel can deliver, one variant a command.
macro_rules! answers {
    ($($name:ident),* $(,)?) => {
        #[derive(Debug)]
        pub(crate) enum Answer {
            $($name(Token<op::$name>, Result<Reply<op::$name>, Failure>),)*
            Pend(RequestId),
            Auth(Token<op::SessionSetup>, Message<op::SessionSetup>, Result<AuthReply, Failure>),
            Tree(Token<op::TreeConnect>, Result<TreeConnectReply, Failure>),
            TreeDisconnect(Token<op::TreeDisconnect>),
            Logoff(Token<op::Logoff>),
        }

        $(impl Answerable for op::$name {
            fn answer(token: Token<Self>, result: Result<Reply<Self>, Failure>) -> Answer {
                Answer::$name(token, result)
            }
        })*

        impl Response {
            /// Delivers a plain answer. One that [needs](Response::needs_sessions) the sessions
            /// becomes a failure: use [`Response::deliver_with`] for those.
            pub fn deliver(self, channel: &mut Channel) {
                // `Gone` only says that nobody waits any more.
                let _ = match *self.answer {
                    $(Answer::$name(token, result) => channel.respond(token, result),)*
                    Answer::Pend(id) => {
                        // Without an interim response the client waits all the same.
                        let _ = channel.pend_request(id);
                        Ok(())
                    }
                    Answer::Auth(token, ..) => channel.respond(token, Err(UNDELIVERED.into())),
                    Answer::Tree(token, _) => channel.respond(token, Err(UNDELIVERED.into())),
                    Answer::TreeDisconnect(token) => channel.respond(token, Err(UNDELIVERED.into())),
                    Answer::Logoff(token) => channel.respond(token, Err(UNDELIVERED.into())),
                };
            }

            /// Delivers any answer through a [`Server`], for drivers that use one.
            pub fn deliver_to(self, server: &mut Server) {
                let _ = match *self.answer {
                    $(Answer::$name(token, result) => server.respond(token, result),)*
                    Answer::Pend(id) => {
                        if let Some(channel) = server.channel(id.conn) {
                            let _ = channel.pend_request(id);
                        }
                        Ok(())
                    }
                    Answer::Auth(token, message, result) => server.respond_auth(token, &message, result),
                    Answer::Tree(token, result) => server.respond_tree(token, result),
                    Answer::TreeDisconnect(token) => server.respond_tree_disconnect(token),
                    Answer::Logoff(token) => server.respond_logoff(token),
                };
            }
        }
    };
}

answers!(
    Create,
    Close,
    Flush,
    Read,
    Write,
    Lock,
    Ioctl,
    QueryDirectory,
    ChangeNotify,
    QueryInfo,
    SetInfo,
    OplockBreak,
    LeaseBreak,
);

const UNDELIVERED: NtStatus = NtStatus::UNSUCCESSFUL;

/// A command whose answer any channel can deliver.
pub(crate) trait Answerable: Op {
    fn answer(token: Token<Self>, result: Result<Reply<Self>, Failure>) -> Answer;
}

impl Response {
    pub(crate) fn new(conn: ConnId, answer: Answer) -> Self {
        Self { conn, answer: Box::new(answer) }
    }

    /// Whose answer it is.
    pub fn conn(&self) -> ConnId {
        self.conn
    }

    /// Whether it answers the request, which otherwise only hears that its answer takes a while.
    pub fn is_final(&self) -> bool {
        !matches!(*self.answer, Answer::Pend(_))
    }

    /// Whether it changes sessions or tree connects, and so has to go through
    /// [`Response::deliver_with`].
    pub fn needs_sessions(&self) -> bool {
        matches!(
            *self.answer,
            Answer::Auth(..) | Answer::Tree(..) | Answer::TreeDisconnect(_) | Answer::Logoff(_)
        )
    }

    /// Delivers any answer. Sessions that end because of it come out as `events`, which are for
    /// [`FileServer::handle`](crate::FileServer::handle) again.
    pub fn deliver_with(self, sessions: &mut Sessions, channel: &mut Channel, events: &mut VecDeque<Event>) {
        let _ = match *self.answer {
            Answer::Auth(token, message, result) => {
                sessions.respond_auth(channel, token, &message, result, events)
            }
            Answer::Tree(token, result) => sessions.respond_tree(channel, token, result),
            Answer::TreeDisconnect(token) => sessions.respond_tree_disconnect(channel, token),
            Answer::Logoff(token) => sessions.respond_logoff(channel, token),
            answer => {
                Self::new(self.conn, answer).deliver(channel);
                Ok(())
            }
        };
    }
}
