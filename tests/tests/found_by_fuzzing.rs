//! What the fuzzers found, each as the shortest script that showed it. See `fuzz/src`.

use sansmb_fuzz::{client, server};

/// A request behind its transport prefix, in the first session and tree of its connection.
fn frame(ask: &server::Ask, message_id: u64) -> Vec<u8> {
    let message = server::first_request(ask, message_id);
    let mut frame = (message.len() as u32).to_be_bytes().to_vec();
    frame.extend(message);
    frame
}

mod client_side {
    use super::client::{Content, Grant, Reply, Request, Script, Settings, Status, Step};

    fn play(settings: Settings, connects: bool, steps: Vec<Step<'_>>) {
        Script { settings, connects: connects.then_some(0), steps }.play();
    }

    fn reply(how: Reply) -> Step<'static> {
        Step::Reply { nth: 0, chunk: 0, how }
    }

    #[test]
    fn a_tree_connect_in_a_session_that_is_gone_ends_too() {
        play(Settings::default(), false, vec![Step::Settle, Step::TreeConnect { session: 0 }]);
    }

    #[test]
    fn a_log_on_that_finds_the_queue_full_ends_once() {
        let settings = Settings { short_queue: true, ..Settings::default() };
        let mut steps: Vec<Step<'_>> = (0..9).map(|_| Step::Echo { session: 0 }).collect();
        steps.push(Step::LogOn { way: 0 });
        steps.extend([Step::Settle, Step::Close]);
        play(settings, false, steps);
    }

    #[test]
    fn a_log_on_that_is_cancelled_before_it_is_sent_ends_once() {
        let greedy = Reply { credits: Grant::None, ..Reply::HONEST };
        let steps = vec![
            Step::Echo { session: 0 },
            Step::LogOn { way: 0 },
            reply(greedy),
            Step::Cancel { nth: 1 },
            Step::Cancel { nth: 0 },
            Step::Close,
        ];
        play(Settings::default(), false, steps);
    }

    #[test]
    fn a_validation_that_finds_the_queue_full_ends_its_tree_connect_once() {
        let settings = Settings { short_queue: true, dialect: 2, ..Settings::default() };
        let stingy = Reply { credits: Grant::None, ..Reply::HONEST };
        let mut steps = vec![Step::LogOn { way: 0 }];
        steps.extend([reply(Reply::HONEST), reply(stingy)]);
        steps.push(Step::TreeConnect { session: 0 });
        steps.extend((0..60).map(|_| Step::Echo { session: 0 }));
        steps.extend([reply(stingy), Step::Close]);
        play(settings, false, steps);
    }

    #[test]
    fn an_answer_that_does_not_parse_ends_its_operation_too() {
        let strange = Reply { status: Status::Any(0x0075_75FF), ..Reply::HONEST };
        play(Settings::default(), true, vec![Step::TreeConnect { session: 0 }, reply(strange)]);
        let echo = Step::Echo { session: 0 };
        play(Settings::default(), true, vec![echo, reply(Reply { body: Content::Random, ..strange })]);
    }

    #[test]
    fn a_request_that_costs_more_than_8192_credits_does_not_panic() {
        let generous = Reply { credits: Grant::All, ..Reply::HONEST };
        let steps = vec![
            Step::Echo { session: 0 },
            reply(Reply { status: Status::Success, ..generous }),
            Step::Request { tree: 0, what: Request::Read(u32::MAX) },
        ];
        play(Settings { dialect: 4, ..Settings::default() }, true, steps);
    }
}

mod server_side {
    use super::server::{Answer, Ask, Kind, Script, Settings, Step};

    fn play(steps: Vec<Step<'_>>) {
        Script { settings: Settings::default(), steps }.play();
    }

    fn send(asks: Vec<Ask>) -> Step<'static> {
        Step::Send { peer: 0, sealed: false, chunk: 0, asks }
    }

    /// The log-on that every connection here begins with is granted 20 credits a request.
    fn many(kind: Kind, n: usize) -> Vec<Ask> {
        vec![Ask { charge: 0, ..Ask::new(kind) }; n]
    }

    #[test]
    fn a_failure_in_a_compound_does_not_lose_the_answer_of_the_next_member() {
        play(vec![send(vec![Ask::new(Kind::SessionSetup), Ask::new(Kind::Flush)])]);
    }

    #[test]
    fn a_long_compound_of_failures_does_not_fill_the_stack() {
        play(vec![send(many(Kind::Cancel, 3000))]);
    }

    #[test]
    fn a_guest_that_is_refused_for_want_of_a_key_is_no_session_for_the_application() {
        let guest = Answer { kind: 3, n: 0 };
        let open = Step::Open { dialect: 0, sessions: 1, answer: guest };
        let settings = Settings { require_signing: true, ..Settings::default() };
        Script { settings, steps: vec![open] }.play();
    }

    #[test]
    fn a_cancel_right_behind_its_request_comes_after_it() {
        let request = super::frame(&Ask::new(Kind::ChangeNotify), 3);
        let cancel = super::frame(&Ask::new(Kind::Cancel), 3);
        let bytes = [request, cancel].concat();
        let open = Step::Open { dialect: 0, sessions: 1, answer: Answer::YES };
        play(vec![open, Step::Raw { peer: 0, framed: false, chunk: 0, bytes: &bytes }]);
    }
}

mod memory {
    use sansmb::{
        client::{Member, OpError, Outcome},
        op,
        server::{Event, Reply},
        wire::{FileId, ReadRequest, WriteResponse},
    };
    use sansmb_tests::{Pair, PairConfig};

    const FILE: FileId = FileId { persistent: 1, volatile: 2 };
    const LARGE: usize = 8 << 20;

    fn pair() -> Pair {
        let mut config = PairConfig::default();
        config.client.credits = 2000;
        Pair::new(config)
    }

    #[test]
    fn writes_that_wait_for_the_storage_stop_the_reading() {
        let mut pair = pair();
        let tree = pair.connect().expect("connect");
        // Each answer lets the client have more credits.
        for _ in 0..8 {
            pair.client.echo(tree.session, pair.now);
            pair.run();
        }
        for _ in 0..4 {
            let data = bytes::Bytes::from(vec![7; LARGE]);
            pair.client.write(tree, FILE, 0, data.into(), pair.now);
        }
        pair.run();
        assert!(!pair.server.wants_read(pair.conn), "32 MiB are not written yet");
        assert_eq!(pair.server_events.len(), 4);
        while let Some(Event::Write(write)) = pair.server_events.pop_front() {
            let reply = Reply::new(&WriteResponse { count: LARGE as u32 });
            pair.server.respond(write.token, Ok(reply)).expect("still there");
        }
        assert!(pair.server.wants_read(pair.conn));
    }

    #[test]
    fn a_request_that_is_too_long_for_a_frame_is_refused() {
        let mut pair = pair();
        let tree = pair.connect().expect("connect");
        let data = bytes::Bytes::from(vec![7; 17 << 20]);
        let op = pair.client.write(tree, FILE, 0, data.into(), pair.now);
        pair.run();
        assert!(matches!(pair.result(op), Err(OpError::Misuse(_))));
        let op = pair.client.echo(tree.session, pair.now);
        pair.run();
        assert!(pair.result(op).is_ok());
    }

    #[test]
    fn large_answers_to_a_compound_do_not_wait_for_each_other() {
        let mut pair = pair();
        let tree = pair.connect().expect("connect");
        for _ in 0..8 {
            pair.client.echo(tree.session, pair.now);
            pair.run();
        }
        let read = |file_id| {
            let request = ReadRequest { file_id, length: LARGE as u32, ..Default::default() };
            Member::new::<op::Read>(&request)
        };
        let ops =
            pair.client.compound(tree, vec![read(FILE), read(FileId::ANY), read(FileId::ANY)], pair.now);
        for _ in &ops {
            pair.run();
            let Some(Event::Read(read)) = pair.server_events.pop_front() else { panic!("no READ") };
            assert_eq!(read.message.file_id(), FILE);
            let reply = Reply::shared(vec![7; LARGE].into());
            pair.server.respond(read.token, Ok(reply)).expect("still there");
            assert!(pair.server.channel(pair.conn).expect("still there").queued() > LARGE);
        }
        pair.run();
        for op in ops {
            let Ok(Outcome::Response(response)) = pair.result(op) else { panic!("no data") };
            assert_eq!(response.read_data().expect("data").len(), LARGE);
        }
    }
}
