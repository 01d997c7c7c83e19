//! `sansmb bench`.

use std::{fs, process::Stdio, thread, time::Duration};

use sansmb_tests::scratch::TempDir;
use serde_json::Value;

use crate::{
    common::{finished, run},
    server::{Server, client, signal},
};

const WHAT: [&str; 7] =
    ["write", "read", "create, write, close", "list", "stat", "open, read, close", "delete"];

#[test]
fn a_bench_measures_and_leaves_nothing() {
    let dir = TempDir::new("bench");
    fs::create_dir(dir.join("sub")).unwrap();
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    for runtime in ["tokio", "smol", "blocking"] {
        let args = [
            "--runtime",
            runtime,
            "--mib",
            "3",
            "--files",
            "50",
            "--jobs",
            "7",
            "--json",
            &server.url("sub"),
        ];
        let run = server.run("bench", &args).ok();
        let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.iter().map(|line| line["what"].as_str().unwrap()).collect::<Vec<_>>(), WHAT);
        assert_eq!(lines[0]["count"], 3 << 20);
        assert_eq!(lines[3]["count"], 50);
        assert!(lines.iter().all(|line| line["per_second"].as_f64().unwrap() > 0.0), "{run:?}");
        assert!(lines[6]["milliseconds"][1].as_f64() >= lines[6]["milliseconds"][0].as_f64(), "{run:?}");
        assert_eq!(fs::read_dir(dir.join("sub")).unwrap().count(), 0);
    }
    let table =
        server.run("bench", &["--mib", "0", "--files", "5", "--size", "0", &server.url("")]).ok().stdout;
    assert_eq!(table.lines().count(), 6, "{table}");
    assert!(table.contains("files/s") && table.contains(" ms"), "{table}");
}

#[test]
fn many_clients_log_on_and_read_and_write() {
    let dir = TempDir::new("bench-many");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    for runtime in ["tokio", "smol", "blocking"] {
        let args = ["--runtime", runtime, "--clients", "5", "--jobs", "3", "--blocks", "40", "--json"];
        let run = server.run("bench", &[&args[..], &[&server.url("")]].concat()).ok();
        let lines: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told: Vec<_> =
            lines.iter().map(|line| (line["what"].as_str().unwrap(), &line["count"])).collect();
        assert_eq!(told, [("log on", &Value::from(5)), ("read and write", &Value::from(40 << 16))]);
        assert!(lines.iter().all(|line| line["milliseconds"][1].as_f64() > Some(0.0)), "{run:?}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
    let table = server.run("bench", &["--clients", "2", "--blocks", "0", &server.url("")]).ok().stdout;
    assert!(table.contains("clients/s") && table.lines().count() == 2, "{table}");
}

#[test]
fn many_interrupted_clients_leave_nothing() {
    let dir = TempDir::new("bench-many-int");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let args = ["--clients", "4", "--blocks", "100000000", &server.url("")];
    let bench = client("bench", &args).stdin(Stdio::null()).spawn().unwrap();
    let files = || fs::read_dir(dir.path()).unwrap().filter_map(|made| fs::read_dir(made.ok()?.path()).ok());
    while files().flatten().count() < 4 {
        thread::sleep(Duration::from_millis(10));
    }
    signal(&bench, "INT");
    finished(bench.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupted_bench_leaves_nothing() {
    let dir = TempDir::new("bench-int");
    let server = Server::start(&[dir.path().to_str().unwrap()]);
    let mut command = client("bench", &["--mib", "0", "--files", "1000000", &server.url("")]);
    let bench = command.stdin(Stdio::null()).spawn().unwrap();
    while fs::read_dir(dir.path()).unwrap().count() == 0 {
        thread::sleep(Duration::from_millis(10));
    }
    signal(&bench, "INT");
    finished(bench.wait_with_output().unwrap()).one_line(1, &["interrupted"]);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_bench_where_nothing_may_be_written_says_so() {
    let dir = TempDir::new("bench-ro");
    let share = format!("share={}:ro", dir.path().display());
    let server = Server::start(&["--share", &share]);
    server.run("bench", &[&server.url("")]).one_line(1, &["smb://"]);
    run(&["bench", "--jobs", "0", "smb://h/s"]).one_line(2, &["0"]);
}
