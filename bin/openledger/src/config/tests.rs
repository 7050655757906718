use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _};

use super::*;
use crate::args::{self, Cli};

const REQUIRED: &str = "datadir = 'd'\ngenesis = 'g'\nrollup-config = 'r'\nl1-rpc = 'http://from-file:1'\n";

fn parsed(file: &str, arguments: &[&str]) -> Result<Configured, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, file).unwrap();
    let words = ["openledger", arguments[0], "--config", path.to_str().unwrap()];
    parse(Cli::command(), words.iter().chain(&arguments[1..]).map(OsString::from).collect())
}

fn verifier(configured: &Configured) -> args::NodeArgs {
    match Cli::from_arg_matches(&configured.matches).unwrap().command {
        args::Command::Verifier(node) => node,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    let file = format!("{REQUIRED}http-port = 1234\nlog = 'debug'\n");
    let configured = parsed(&file, &["verifier", "--l1-rpc", "http://from-flag:2"]).unwrap();
    let args = verifier(&configured);
    assert_eq!(args.l1_rpc, "http://from-flag:2");
    assert_eq!(args.http_port, Some(1234));
    assert_eq!(args.http_addr.to_string(), "127.0.0.1");
    let text = configured.to_toml();
    assert!(text.contains("l1-rpc = \"http://from-flag:2\" # flag\n"), "{text}");
    assert!(text.contains("http-port = 1234 # file\n"), "{text}");
    assert!(text.contains("http-addr = \"127.0.0.1\" # default\n"), "{text}");
    assert!(text.contains("log = \"debug\" # file\n"), "{text}");
}

#[test]
fn the_environment_goes_before_the_file() {
    // Another process: the environment of this one belongs to all tests.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, REQUIRED).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "config::tests::prints_when_asked", "--nocapture"])
        .env("OPENLEDGER_TEST_PRINT", "1")
        .env("OPENLEDGER_CONFIG", &path)
        .env("OPENLEDGER_L1_RPC", "http://from-environment:3")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("l1-rpc = \"http://from-environment:3\" # environment\n"), "{text}");
    assert!(text.contains("genesis = \"g\" # file\n"), "{text}");
}

/// The other half of the test above.
#[test]
fn prints_when_asked() {
    if std::env::var_os("OPENLEDGER_TEST_PRINT").is_some() {
        println!("{}", parse(Cli::command(), vec!["openledger".into(), "verifier".into()]).unwrap().to_toml());
    }
}

#[test]
fn what_is_printed_configures_the_same() {
    let printed = parsed(REQUIRED, &["sequencer", "--l1-confirmations", "7"]).unwrap().to_toml();
    let again = parsed(&printed, &["sequencer"]).unwrap().to_toml();
    let values = |text: &str| {
        text.lines().map(|line| line.rsplit_once(" # ").map_or(line, |(value, _)| value).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(values(&printed), values(&again));
}

#[test]
fn a_list_may_be_repeated() {
    let file = format!(
        "l1-rpc = 'http://l1'\nout = 'o'\nbatcher = '{a}'\nproposer = '{a}'\nfund = ['{a}', '{b}']\n",
        a = "0x0000000000000000000000000000000000000001",
        b = "0x0000000000000000000000000000000000000002"
    );
    let configured = parsed(&file, &["deploy"]).unwrap();
    let args::Command::Deploy(deploy) = Cli::from_arg_matches(&configured.matches).unwrap().command else { panic!() };
    assert_eq!(deploy.funded.len(), 2);
    assert!(parsed("l1-rpc = ['a', 'b']", &["deploy"]).unwrap_err().to_string().contains("`l1-rpc` takes one value"));
}

#[test]
fn commands_about_a_node_take_its_file() {
    let file =
        format!("{REQUIRED}batcher-key-file = 'k'\nadmin-port = 1234\nadmin-addr = '127.0.0.2'\nlog = 'error'\n");
    let asked = |file: &str, flags: &[&str]| {
        let configured = parsed(file, &[&["admin"], flags, &["setLogLevel", "info"]].concat()).unwrap();
        let args::Command::Admin(ask) = Cli::from_arg_matches(&configured.matches).unwrap().command else { panic!() };
        (ask.admin.asked().to_string(), ask.admin.secret_file(&ask.datadir))
    };
    assert_eq!(asked(&file, &[]), ("127.0.0.2:1234".to_owned(), "d/jwt.hex".into()));
    assert_eq!(asked(&file, &["--admin-port", "99"]), ("127.0.0.2:99".to_owned(), "d/jwt.hex".into()));
    assert_eq!(asked(&format!("{file}admin-jwt-secret = 's'\n"), &[]).1, Path::new("s"));
    // The secret and the port that the command has for itself.
    assert_eq!(asked("", &[]), ("127.0.0.1:9645".to_owned(), "./jwt.hex".into()));

    let configured = parsed(&file, &["db", "stats"]).unwrap();
    let args::Command::Db(db) = Cli::from_arg_matches(&configured.matches).unwrap().command else { panic!() };
    assert_eq!(db.datadir, Path::new("d"));
    // What no node knows either is still an error, and so is a wrong value.
    let unknown = parsed("htp-port = 1", &["admin", "nodeInfo"]).unwrap_err().to_string();
    assert!(
        unknown.ends_with("`openledger admin nodeInfo` has no option `htp-port`; the nearest is `http-port`"),
        "{unknown}"
    );
    let value = parsed("admin-port = 'x'", &["admin", "nodeInfo"]).unwrap_err().to_string();
    assert!(value.contains("`admin-port` cannot be used"), "{value}");
    // Other commands are no node's.
    assert!(parsed(&file, &["demo"]).is_err());
}

#[test]
fn mistakes_in_the_file_are_named() {
    let error = |file: &str| parsed(file, &["verifier"]).unwrap_err().to_string();
    let unknown = error("htp-port = 1");
    assert!(
        unknown.ends_with("`openledger verifier` has no option `htp-port`; the nearest is `http-port`"),
        "{unknown}"
    );
    assert!(error("batcher-key-file = 'k'").contains("has no option `batcher-key-file`"));
    assert!(error("config = 'other.toml'").contains("has no option `config`"));
    let value = error("http-port = 'x'");
    assert!(value.contains("`http-port` cannot be used: invalid value 'x'"), "{value}");
    assert!(error("[table]\nx = 1").contains("has no option `table`"));
    assert!(error("genesis = { a = 1 }").contains("`genesis` must be a string"));
    let syntax = error("genesis = 'g'\nhttp-port =\n");
    assert!(syntax.contains("config.toml:2: "), "{syntax}");
    assert!(matches!(parsed("", &["verifier"]), Err(ConfigError::Usage(_))));
}

#[test]
fn keys_in_urls_are_not_shown() {
    for (url, shown) in [
        ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("http://l1.example/", "http://l1.example/"),
        ("https://l1.example/v3/0123456789", "https://l1.example/<redacted>"),
        ("https://user:secret@l1.example", "https://l1.example/<redacted>"),
        ("https://l1.example:1?key=secret", "https://l1.example:1/<redacted>"),
        ("secret", "<redacted>"),
    ] {
        assert_eq!(without_secrets(url), shown);
    }
}

/// The files in `configs/` name every option of their command, commented out where they only teach.
#[test]
fn the_example_files_are_complete() {
    let folder = openledger_testing::workspace().join("configs");
    for name in ["sequencer", "verifier", "node"] {
        let text = std::fs::read_to_string(folder.join(name).with_extension("toml")).unwrap();
        parsed(&text, &[name]).unwrap();
        parsed(&text, &["admin", "nodeInfo"]).unwrap();
        // `#key = value` is an option that is off; `# text` is a comment.
        let all: String = text
            .lines()
            .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with([' ', '#'])).unwrap_or(line))
            .fold(String::new(), |all, line| all + line + "\n");
        parsed(&all, &[name]).unwrap();
        let table: Table = toml::from_str(&all).unwrap();
        let command = Cli::command();
        let levels = [Some(&command), command.find_subcommand(name)];
        let options = levels.into_iter().flatten().flat_map(options).filter(|option| !option.is_hide_set());
        for long in options.filter_map(Arg::get_long) {
            assert!(table.contains_key(long), "configs/{name}.toml does not mention {long}");
        }
    }
}
