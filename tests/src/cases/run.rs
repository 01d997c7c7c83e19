//! Plays a case: sends what its clients say, and compares what the server answers.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use sansmb::wire::*;

use super::{
    answer::{Asked, fields as fields_of},
    compare::Waiting,
    compressed,
    fields::{Given, Names, parse},
    peer::{Outstanding, Peer, Sessions},
    record::Record,
    request,
    script::{Act, Case, Step},
    stage::Stage,
    values::{Value, show_list},
};
use crate::raw;

/// Where a case and the server differ.
#[derive(Debug)]
pub struct Failure {
    /// File, line and name.
    pub place: String,
    /// The line.
    pub text: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n    {}\n    {}", self.place, self.text, self.what.replace('\n', "\n    "))
    }
}

struct Play {
    stage: Stage,
    sessions: Sessions,
    peers: BTreeMap<String, Peer>,
    inbox: BTreeMap<String, VecDeque<Waiting>>,
    names: Names,
    log_ons: u8,
    record: Record,
}

/// Plays a case to its end.
pub fn run(case: &Case) -> Result<Record, Failure> {
    let place = |line: usize| format!("{}:{line}: {}", case.file, case.name);
    let failed = |step: &Step, what| Failure { place: place(step.line), text: step.text.clone(), what };
    let head = |what| Failure { place: place(0), text: "its server".into(), what };
    let filled =
        |lines: &[String]| lines.iter().map(|line| case.names.fill(line)).collect::<Result<Vec<_>, _>>();
    let server = filled(&case.server).map_err(head)?;
    let shares = filled(&case.shares).map_err(head)?;
    let mut play = Play {
        stage: Stage::new(&server, &shares).map_err(head)?,
        sessions: Sessions::default(),
        peers: BTreeMap::new(),
        inbox: BTreeMap::new(),
        names: case.names.clone(),
        log_ons: 0,
        record: Record::default(),
    };
    for step in &case.steps {
        play.step(&step.action).map_err(|what| failed(step, what))?;
    }
    let last = case.steps.last().ok_or_else(|| head("it has no steps".into()))?;
    play.end().map_err(|what| failed(last, what))?;
    Ok(play.record)
}

impl Play {
    fn step(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Connect { peer, fields } => self.connect(peer, fields),
            Act::Drop(peer) => {
                let peer = self.peers.remove(peer).ok_or("no such connection")?;
                self.stage.drop(peer.conn);
                self.receive()
            }
            Act::Restart => {
                self.stage.restart();
                self.peers.clear();
                Ok(())
            }
            Act::Wait(by) => {
                self.stage.wait(*by);
                self.receive()
            }
            Act::Send { peer, alone, message } => self.send(peer, *alone, message),
            Act::Expect { peer, message } => self.expect(peer, message),
        }
    }

    /// Everything that came must have been told, and nothing may be left when all clients are gone.
    fn end(&mut self) -> Result<(), String> {
        for (name, inbox) in &self.inbox {
            if let Some(waiting) = inbox.front() {
                return Err(format!("then came, and was not expected:\n{name}< {waiting}"));
            }
        }
        let counters = self.stage.aftermath();
        if counters == Default::default() { Ok(()) } else { Err(format!("something is left: {counters:?}")) }
    }

    /// `connect`: what every conversation begins with, in one line.
    fn connect(&mut self, name: &str, fields: &str) -> Result<(), String> {
        let fields = parse(fields)?;
        let mut given = Given::new(&fields, &self.names)?;
        let dialects = given.text("dialects").ok_or("dialects are missing")?;
        let capabilities =
            given.or("capabilities", "LEASING|LARGE_MTU|DIRECTORY_LEASING|ENCRYPTION".to_owned())?;
        let ciphers = given.or("ciphers", "AES_128_GCM,AES_128_CCM".to_owned())?;
        let signing = given.or("signing", "AES_GMAC,AES_CMAC,HMAC_SHA256".to_owned())?;
        let signs = given.flag("signs");
        let security = if signs { "SIGNING_ENABLED|SIGNING_REQUIRED" } else { "SIGNING_ENABLED" };
        let mut negotiate =
            format!("NEGOTIATE dialects={dialects} capabilities={capabilities} security={security}");
        if dialects.contains("3.1.1") {
            negotiate += &format!(" PREAUTH ENCRYPTION(ciphers={ciphers}) SIGNING(algorithms={signing})");
        }
        if given.flag("transport") {
            negotiate += " TRANSPORT(flags=ACCEPT_TRANSPORT_LEVEL_SECURITY)";
        }
        if let Some(guid) = given.text("guid") {
            negotiate += &format!(" guid={guid}");
        }
        let user = given.or("user", "alice".to_owned())?;
        let previous = given.or("previous", 0u64)?;
        let share = given.or("share", "share".to_owned())?;
        given.finish()?;
        self.send(name, true, &negotiate)?;
        if signs {
            self.peer(name)?.signs = true;
        }
        self.expect(name, "NEGOTIATE SUCCESS")?;
        self.send(name, true, &format!("SESSION_SETUP user={user} previous={previous}"))?;
        self.expect(name, "SESSION_SETUP MORE_PROCESSING_REQUIRED")?;
        self.send(name, true, &format!("SESSION_SETUP previous={previous}"))?;
        self.expect(name, "SESSION_SETUP SUCCESS")?;
        self.send(name, true, &format!(r"TREE_CONNECT path=\\server\{share}"))?;
        self.expect(name, "TREE_CONNECT SUCCESS")?;
        let peer = self.peer(name)?;
        let (session, tree) = (peer.session.0, peer.tree.0);
        self.names.set(&format!("{name}.session"), session.to_string());
        self.names.set(&format!("{name}.tree"), tree.to_string());
        Ok(())
    }

    fn peer(&mut self, name: &str) -> Result<&mut Peer, String> {
        self.peers.get_mut(name).ok_or_else(|| format!("{name} is not connected"))
    }

    fn send(&mut self, name: &str, alone: bool, message: &str) -> Result<(), String> {
        let (verb, rest) = message.split_once(' ').unwrap_or((message, ""));
        let (label, rest) = label(rest);
        let fields = parse(rest)?;
        let mut given = Given::new(&fields, &self.names)?;
        if !self.peers.contains_key(name) {
            // The letters of its name say whose connection it is.
            let letter = name.bytes().next().unwrap_or_default();
            let conn = self.stage.open();
            self.peers.insert(name.to_owned(), Peer::new(conn, Guid([letter; 16])));
        }
        if verb == "SMB1_NEGOTIATE" {
            return self.send_smb1(name, &mut given);
        }
        let Some(mut peer) = self.peers.remove(name) else { return Err("no such connection".into()) };
        let compressed = given.take("compressed")?;
        let built = self.build(&mut peer, verb, label, &mut given);
        let frame = built.and_then(|(message, signed, encrypted)| {
            given.finish()?;
            peer.chain.push((message, signed));
            if alone { self.frame(&mut peer, encrypted, compressed).map(Some) } else { Ok(None) }
        });
        let conn = peer.conn;
        self.peers.insert(name.to_owned(), peer);
        if let Some((verbs, frame)) = frame? {
            self.put(format!("C: {name} {verbs}"), conn, frame);
        }
        self.receive()
    }

    fn put(&mut self, title: String, conn: sansmb::server::ConnId, frame: Vec<u8>) {
        self.stage.feed(conn, &frame);
        self.record.frame(title, frame);
    }

    fn send_smb1(&mut self, name: &str, given: &mut Given) -> Result<(), String> {
        let dialects = given.text("dialects").ok_or("dialects are missing")?;
        given.finish()?;
        let strings: Vec<&[u8]> = dialects.split(',').map(str::as_bytes).collect();
        let mut frame = Vec::new();
        Smb1NegotiateRequest::new(&strings).encode(&mut Writer::new(&mut frame));
        let peer = self.peer(name)?;
        let asked = Asked::default();
        let outstanding = Outstanding { verb: "NEGOTIATE".into(), label: None, asked, async_id: None };
        peer.outstanding.insert(0, outstanding);
        peer.next_id = 1;
        let conn = peer.conn;
        self.put(format!("C: {name} SMB1 NEGOTIATE"), conn, frame);
        self.receive()
    }

    /// A message, whether it is to be signed, and whether to be encrypted.
    fn build(
        &mut self,
        peer: &mut Peer,
        verb: &str,
        label: Option<String>,
        given: &mut Given,
    ) -> Result<(Vec<u8>, bool, bool), String> {
        let command = command(verb)?;
        let mut token = Vec::new();
        let mut session = given.take::<u64>("session")?.map(SessionId);
        let mut must_sign = given.flag("signed");
        if verb == "SESSION_SETUP" {
            if let Some(user) = given.text("user") {
                let binds = given.flag("bind");
                let password = given.text("password");
                self.log_ons += 1;
                peer.begin_log_on(&user, password.as_deref(), self.log_ons, &self.stage, binds);
                session = session.or(Some(SessionId(0)));
            }
            token = peer.token()?;
            must_sign |= peer.binds();
        }
        if verb == "NEGOTIATE" {
            given.usual("guid", &peer.guid.show());
        }
        let session = session.unwrap_or(peer.session);
        let treeless = ["NEGOTIATE", "SESSION_SETUP", "LOGOFF", "TREE_CONNECT", "ECHO"].contains(&verb);
        let usual = if treeless { TreeId(0) } else { peer.tree };
        let tree = given.take::<u32>("tree")?.map_or(usual, TreeId);
        let mut header = Header {
            command,
            credits: given.or("credits", 64)?,
            message_id: given.or("mid", peer.next_id)?,
            session_id: session,
            tree_id: tree,
            ..Header::default()
        };
        let multi = peer.dialect >= Dialect::SMB2_1;
        header.credit_charge = given.or("charge", u16::from(multi))?;
        header.status = NtStatus(given.or("sequence", 0)?);
        for (word, flag) in [("related", Flags::RELATED_OPERATIONS), ("replay", Flags::REPLAY_OPERATION)] {
            if given.flag(word) {
                header.flags |= flag;
            }
        }
        let validates = verb == "IOCTL" && given.peek("code") == Some("VALIDATE_NEGOTIATE_INFO");
        let plain = given.flag("plain");
        let encrypted = !plain && (given.flag("encrypted") || peer.encrypts(session, tree));
        let usually = peer.signs || validates || peer.dialect == Dialect::SMB3_1_1;
        let signed = must_sign || usually && !encrypted && !given.flag("unsigned") && peer.can_sign(session);
        let binds = peer.binds();
        if command == Command::SESSION_SETUP && binds {
            given.usual("flags", "BINDING");
        }
        let asked = asked(verb, given)?;
        if command == Command::CANCEL {
            let target = peer.outstanding.iter().find(|(_, other)| other.label == label && label.is_some());
            let (id, other) = target.ok_or("CANCEL names no request")?;
            header.message_id = *id;
            header.credit_charge = 0;
            if let Some(async_id) = other.async_id {
                header.set_async_id(async_id);
            }
        } else {
            peer.next_id = header.message_id + u64::from(header.credit_charge.max(1));
            let outstanding = Outstanding { verb: verb.into(), label, asked, async_id: None };
            peer.outstanding.insert(header.message_id, outstanding);
        }
        let message = request::message(verb, &header, given, &token)?;
        Ok((message, signed, encrypted))
    }

    /// The members of the chain as they go over the wire, and their commands.
    fn frame(
        &mut self,
        peer: &mut Peer,
        encrypted: bool,
        compressed: Option<CompressionAlgorithm>,
    ) -> Result<(String, Vec<u8>), String> {
        let (members, signed): (Vec<_>, Vec<_>) = std::mem::take(&mut peer.chain).into_iter().unzip();
        let mut frame = Vec::new();
        let mut verbs = Vec::new();
        for (mut message, signed) in raw::split(&raw::compound(&members, false)).into_iter().zip(signed) {
            if signed && !encrypted {
                peer.sign(&self.sessions, &mut message)?;
            }
            let header = Header::decode(&message).map_err(|error| error.to_string())?;
            peer.sent(header.command, &message);
            verbs.push(header.command.to_string());
            frame.extend(message);
        }
        let session = Header::decode(&frame).map_err(|error| error.to_string())?.session_id;
        if let Some(algorithm) = compressed {
            frame = compressed::message(algorithm, &frame)?;
        }
        if encrypted {
            frame = Peer::seal(&mut self.sessions, session, &frame)?;
        }
        Ok((verbs.join(", "), frame))
    }

    /// Takes what the server sent on all connections.
    fn receive(&mut self) -> Result<(), String> {
        for (name, peer) in &mut self.peers {
            while let Some(frame) = self.stage.take(peer.conn) {
                let mut title = format!("S: {name}");
                let bytes = frame.clone();
                for message in peer.arrived(&mut self.sessions, frame)? {
                    let header = message.header;
                    let request = peer.outstanding.get_mut(&header.message_id);
                    let asked = request.as_ref().map(|request| request.asked).unwrap_or_default();
                    let (mut verb, mut seen) = fields_of(&header, &message.bytes, asked)?;
                    if message.encrypted {
                        seen.push(("encrypted".into(), String::new()));
                    }
                    if !message.compressed.is_empty() {
                        seen.push(("compressed".into(), show_list(message.compressed)));
                    }
                    let mut label = None;
                    if header.message_id != u64::MAX {
                        let request = request.ok_or_else(|| format!("{verb} answers nothing"))?;
                        (verb, label) = (request.verb.clone(), request.label.clone());
                        request.async_id = header.async_id();
                        if header.status != NtStatus::PENDING {
                            peer.outstanding.remove(&header.message_id);
                        }
                    }
                    title += &format!(" {verb} {}", header.status);
                    self.record.seen(&seen);
                    let waiting = Waiting { header, verb, label, seen };
                    self.inbox.entry(name.clone()).or_default().push_back(waiting);
                }
                self.record.frame(title, bytes);
            }
        }
        Ok(())
    }

    fn expect(&mut self, name: &str, message: &str) -> Result<(), String> {
        let inbox = self.inbox.entry(name.to_owned()).or_default();
        match message {
            "nothing" => {
                return match inbox.front() {
                    None => Ok(()),
                    Some(waiting) => Err(format!("expected nothing\ngot      {waiting}")),
                };
            }
            "closed" => {
                let conn = self.peer(name)?.conn;
                if self.inbox.get(name).is_some_and(|inbox| !inbox.is_empty()) || !self.stage.is_closed(conn)
                {
                    return Err("expected the end of the connection\ngot      none".into());
                }
                return Ok(());
            }
            _ => {}
        }
        let waiting = inbox.pop_front().ok_or("expected a message\ngot      nothing")?;
        let (verb, rest) = message.split_once(' ').ok_or("the status is missing")?;
        let (label, rest) = label(rest);
        let (status, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let is = [waiting.verb.clone(), waiting.header.status.to_string()];
        if is != [verb, status] || waiting.label != label {
            return Err(format!("expected {verb} {status}\ngot      {waiting}"));
        }
        for field in parse(rest)? {
            waiting.compare(&field, &mut self.names)?;
        }
        Ok(())
    }
}

/// The label that a line may begin with.
fn label(text: &str) -> (Option<String>, &str) {
    match text.trim_start().strip_prefix('@') {
        Some(label) => {
            let (label, rest) = label.split_once(' ').unwrap_or((label, ""));
            (Some(label.to_owned()), rest)
        }
        None => (None, text),
    }
}

fn command(verb: &str) -> Result<Command, String> {
    let name = if verb == "LEASE_BREAK" { "OPLOCK_BREAK" } else { verb };
    let mut all = (0..19).map(Command);
    all.find(|command| command.name() == Some(name)).ok_or_else(|| format!("there is no command {verb}"))
}

/// What the answer will not say again.
fn asked(verb: &str, given: &Given) -> Result<Asked, String> {
    let info_type = match given.peek("type") {
        Some(text) if verb == "QUERY_INFO" => InfoType::parse(text).ok_or("type means nothing")?,
        _ => InfoType::FILE,
    };
    let usual = if verb == "QUERY_DIRECTORY" { "ID_BOTH_DIRECTORY" } else { "0" };
    let text = given.peek("class").unwrap_or(usual);
    let class = request::class(info_type, text).unwrap_or_default();
    Ok(Asked { info_type, class })
}
