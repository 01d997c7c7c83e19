//! The smallest driver: one thread owns the server, one more for each connection reads from it.
//!
//! `serve ADDRESS USER%PASSWORD NAME=FOLDER ...` serves folders; a folder `:memory:` is a share in
//! memory.

use std::{
    collections::BTreeMap,
    env,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sansmb::{
    auth::Acceptor,
    crypto::Random,
    server::{ConnId, Server, ServerConfig},
    time::{Instant, Now},
    wire::{FileTime, Guid},
};
use sansmb_auth::{AcceptorConfig, SpnegoAcceptor, UserTable};
use sansmb_crypto::OsRandom;
use sansmb_fileserver::{Action, FileServer, FileServerConfig, JobId, ShareConfig, storage::Outcome};
use sansmb_storage::{LocalDir, LocalOptions, Memory, MemoryOptions};

enum Input {
    Accepted(TcpStream),
    Bytes(ConnId, Vec<u8>),
    Eof(ConnId),
    Done(JobId, Outcome),
}

fn main() {
    let mut args = env::args().skip(1);
    let address = args.next().expect("an address to listen on");
    let credentials = args.next().expect("USER%PASSWORD");
    let (user, password) = credentials.split_once('%').expect("USER%PASSWORD");
    let mut users = UserTable::new();
    users.add_password(user, password);
    let acceptor = Arc::new(SpnegoAcceptor::new(AcceptorConfig::new("SANSMB", Arc::new(users))));
    let mut protocol = ServerConfig::new(guid(), sansmb_crypto::default_provider());
    protocol.capabilities = FileServer::capabilities();
    protocol.auth_hint = acceptor.hint();
    let mut config = FileServerConfig::new("SANSMB", acceptor);
    for share in args {
        let (name, folder) = share.split_once('=').expect("NAME=FOLDER");
        config.shares.push(if folder == ":memory:" {
            ShareConfig::new(name, Arc::new(Memory::new(MemoryOptions::default())))
        } else {
            ShareConfig::new(name, Arc::new(LocalDir::open(folder, LocalOptions::default()).expect(folder)))
        });
    }
    let (input, inputs) = mpsc::channel();
    let listener = TcpListener::bind(&address).expect("listen");
    let accepted = input.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = stream.set_nodelay(true);
            let _ = accepted.send(Input::Accepted(stream));
        }
    });
    run(Server::new(Arc::new(protocol)), FileServer::new(config), &input, &inputs);
}

fn run(
    mut server: Server,
    mut files: FileServer,
    input: &mpsc::Sender<Input>,
    inputs: &mpsc::Receiver<Input>,
) {
    let mut streams: BTreeMap<ConnId, TcpStream> = BTreeMap::new();
    loop {
        match inputs.recv_timeout(Duration::from_secs(1)) {
            Ok(Input::Accepted(stream)) => {
                let conn = server.open(now());
                let reader = stream.try_clone().expect("a second handle");
                let bytes = input.clone();
                thread::spawn(move || read(conn, reader, &bytes));
                streams.insert(conn, stream);
            }
            Ok(Input::Bytes(conn, bytes)) => server.handle_input(conn, &bytes, now()),
            Ok(Input::Eof(conn)) => server.eof(conn),
            Ok(Input::Done(job, outcome)) => files.complete(job, outcome, now()),
            Err(_) => server.handle_timeout(now()),
        }
        loop {
            if let Some(event) = server.poll_event() {
                files.handle(event, now(), &mut OsRandom);
            } else if let Some(action) = files.poll_action() {
                match action {
                    Action::Job { storage, id, job } => {
                        let done = input.clone();
                        storage
                            .submit(job, Box::new(move |outcome| drop(done.send(Input::Done(id, outcome)))));
                    }
                    Action::Respond(response) => response.deliver_to(&mut server),
                    Action::Break(notice) => {
                        if let Err(undelivered) = notice.deliver_to(&mut server) {
                            files.break_undelivered(undelivered, now());
                        }
                    }
                    _ => {}
                }
            } else {
                break;
            }
        }
        streams.retain(|conn, stream| {
            let alive = write(&mut server, *conn, stream);
            if !alive || server.is_finished(*conn) {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                server.remove(*conn);
                return false;
            }
            true
        });
    }
}

fn write(server: &mut Server, conn: ConnId, stream: &mut TcpStream) -> bool {
    loop {
        let mut pieces = [&[][..]; 1];
        let sent = match server.poll_transmit(conn, &mut pieces) {
            0 => return true,
            _ => pieces[0].len(),
        };
        if stream.write_all(pieces[0]).is_err() {
            return false;
        }
        server.sent(conn, sent);
    }
}

fn read(conn: ConnId, mut stream: TcpStream, input: &mpsc::Sender<Input>) {
    let mut buffer = vec![0; 1 << 20];
    while let Ok(n @ 1..) = stream.read(&mut buffer) {
        if input.send(Input::Bytes(conn, buffer[..n].to_vec())).is_err() {
            return;
        }
    }
    let _ = input.send(Input::Eof(conn));
}

fn guid() -> Guid {
    let mut guid = [0; 16];
    OsRandom.fill(&mut guid);
    Guid(guid)
}

#[expect(clippy::disallowed_methods, reason = "a driver reads the clock")]
fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mono = Instant::from_micros(since.as_micros() as u64);
    Now { mono, wall: FileTime::from_unix(since.as_secs() as i64, since.subsec_nanos()) }
}
