//! A client, its application and a server, each doing what the input says.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use sansmb::{
    client::Client,
    time::{Instant, Now},
    wire::FileTime,
};

use super::{
    host::{Host, Reply, Unsolicited},
    user::{Request, Settings, User},
};
use crate::{memory::Budget, wire::show};

/// Something that one of the sides does.
#[derive(Arbitrary, Debug)]
pub enum Step<'a> {
    LogOn {
        way: u8,
    },
    TreeConnect {
        session: u8,
    },
    TreeDisconnect {
        tree: u8,
    },
    LogOff {
        session: u8,
    },
    Echo {
        session: u8,
    },
    Request {
        tree: u8,
        what: Request,
    },
    Compound {
        tree: u8,
        what: Vec<Request>,
    },
    Cancel {
        nth: u8,
    },
    AnswerNeed {
        nth: u8,
    },
    Take {
        bytes: u16,
    },
    Reply {
        nth: u8,
        chunk: u8,
        how: Reply,
    },
    /// Everything is answered as it should be.
    Settle,
    Unsolicited {
        what: Unsolicited,
        session: u8,
    },
    Raw {
        bytes: &'a [u8],
    },
    Wait {
        seconds: u8,
    },
    Eof,
    Close,
}

/// A client's life.
#[derive(Arbitrary, Debug, Default)]
pub struct Script<'a> {
    pub settings: Settings,
    /// The log-on and tree connect that the steps begin with, honest on both sides.
    pub connects: Option<u8>,
    pub steps: Vec<Step<'a>>,
}

/// Steps of all sides in any order; every operation ends once, and none is left behind by an honest
/// server.
pub fn client_ops(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else { return };
    show(&script);
    Budget { base: 2 << 20, factor: 1 << 10 }.check(data.len(), || script.play());
}

impl Script<'_> {
    /// Plays it.
    pub fn play(self) {
        let mut now = Now { mono: Instant::ORIGIN, wall: FileTime(1) };
        let dialect = self.settings.dialect();
        let mut client = Client::new(self.settings.config(), now);
        let mut host = Host::new(dialect, self.settings.host_encrypts);
        let mut user = User::default();
        if let Some(way) = self.connects {
            user.log_on(&mut client, way & 9, now);
            settle(&mut client, &mut host, &mut user, now);
            user.tree_connect(&mut client, 0, now);
            settle(&mut client, &mut host, &mut user, now);
        }
        // Half a message in between, and the rest of what the server says means something else.
        let wild = self.steps.iter().any(|step| matches!(step, Step::Raw { .. }));
        for step in self.steps {
            match step {
                Step::LogOn { way } => user.log_on(&mut client, way, now),
                Step::TreeConnect { session } => user.tree_connect(&mut client, session, now),
                Step::TreeDisconnect { tree } => user.tree_disconnect(&mut client, tree, now),
                Step::LogOff { session } => user.log_off(&mut client, session, now),
                Step::Echo { session } => user.echo(&mut client, session, now),
                Step::Request { tree, what } => user.request(&mut client, tree, what, now),
                Step::Compound { tree, what } => user.compound(&mut client, tree, &what, now),
                Step::Cancel { nth } => user.cancel(&mut client, nth),
                Step::AnswerNeed { nth } => user.answer_need(&mut client, nth, now),
                Step::Take { bytes } => host.take(&mut client, bytes.into()),
                Step::Reply { nth, chunk, how } => {
                    host.take(&mut client, usize::MAX);
                    host.reply(&mut client, nth.into(), how, cut(chunk), now);
                }
                Step::Settle => settle(&mut client, &mut host, &mut user, now),
                Step::Unsolicited { what, session } => {
                    host.volunteer(&mut client, what, 0x41 + u64::from(session % 8), now);
                }
                Step::Raw { bytes } => client.handle_input(bytes, now),
                Step::Wait { seconds } => {
                    now.mono = now.mono.after(Duration::from_secs(seconds.into()));
                    client.handle_timeout(now);
                }
                Step::Eof => client.eof(),
                Step::Close => client.close(),
            }
            user.poll(&mut client);
        }
        settle(&mut client, &mut host, &mut user, now);
        if !wild {
            assert!(user.is_done(), "an honest server answers, and operations are left");
            assert_eq!(client.outstanding(), 0);
        }
        client.eof();
        user.poll(&mut client);
        assert!(user.is_done());
    }
}

/// Everybody is honest and diligent until nothing more happens.
fn settle(client: &mut Client, host: &mut Host, user: &mut User, now: Now) {
    // A log-on takes ten legs at most, and everything else waits for it at most.
    for _ in 0..24 {
        host.take(client, usize::MAX);
        host.settle(client, now);
        user.poll(client);
        while user.waits_for_others() {
            user.answer_need(client, 0, now);
            user.poll(client);
        }
        if user.is_done() {
            return;
        }
    }
}

fn cut(chunk: u8) -> usize {
    if chunk < 128 { usize::MAX } else { usize::from(chunk - 127) }
}
