//! What `oncely storm` refuses, with exit code 2, before anything is started; and its help.

use super::Storm;

#[test]
fn other_machines_are_not_attacked_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "secret-token\n").unwrap();
    let token = token.to_str().unwrap();
    let here = "http://127.0.0.1:9";
    let books = "postgres://127.0.0.1:9/x";
    for (url, database_url, flag) in [
        ("http://10.0.0.1:8080", books, "--url"),
        ("http://127.0.0.1.example.com", books, "--url"),
        (here, "postgres://db.example/x", "--database-url"),
    ] {
        let arguments = ["--url", url, "--database-url", database_url];
        let storm = Storm::brew(&[&arguments[..], &["--token-file", token]].concat());
        assert_eq!(storm.code, 2, "{}", storm.complaints);
        let told = format!("error: {flag} leads to another machine");
        assert!(storm.complaints.starts_with(&told), "{}", storm.complaints);
        assert!(!storm.report.exists());
    }
}

#[test]
fn wrong_usage_is_told_at_once() {
    let url = ["--url", "http://127.0.0.1:9"];
    let books = ["--database-url", "postgres://127.0.0.1:9/x"];
    let token = ["--token-file", "gone"];
    let killing = |word| [&url[..], &token, &["--may-kill", word]].concat();
    let cases: [(Vec<&str>, &str); 8] = [
        (vec!["--operations", "0"], "0 is not in"),
        (vec!["--duration", "soon"], "--duration"),
        (books.to_vec(), "go with --url"),
        (url.to_vec(), "--token-file"),
        (vec!["--may-flush"], "--url"),
        (killing("redis=1"), "larger than 1"),
        (killing("sshd=77"), "name redis"),
        (
            [&["--url", "https://127.0.0.1:9"], &books[..], &token].concat(),
            "http://",
        ),
    ];
    for (arguments, told) in cases {
        let storm = Storm::brew(&arguments);
        let complaints = &storm.complaints;
        assert_eq!(storm.code, 2, "{arguments:?}: {complaints}");
        assert!(complaints.contains(told), "{arguments:?}: {complaints}");
    }
}

#[test]
fn help_tells_what_happens_and_what_the_exit_codes_mean() {
    let help = Storm::brew(&["--help"]);
    assert_eq!(help.code, 0);
    for part in [
        "--operations",
        "--seed",
        "--calm",
        "--may-kill",
        "--allow-remote",
        "leaves\nnothing behind but the report",
        "0 the promise held, 1 it did not",
    ] {
        assert!(help.out.contains(part), "{part}: {}", help.out);
    }
}
