//! One devnet through its whole life: fresh, resumed, with bad input, with each process killed.

mod scenarios;

use openledger_e2e::{Devnet, Runner};
use scenarios::{bad_input, crashes, lifecycle};
use std::{process::ExitCode, time::Duration};

#[tokio::main]
async fn main() -> ExitCode {
    let mut runner = Runner::default();
    let limit = Duration::from_secs;
    let devnet = Devnet::new().unwrap_or_else(|failure| panic!("{failure:?}"));

    runner.scenario("a_fresh_devnet_passes_its_checks_and_exits", limit(420), lifecycle::fresh(&devnet)).await;
    let mut running = match devnet.start(&[]) {
        Ok(running) => running,
        Err(failure) => panic!("{failure:?}"),
    };
    runner.scenario("a_second_start_resumes_the_first", limit(240), lifecycle::resumed(&devnet, &mut running)).await;
    runner.scenario("a_second_devnet_is_told_why_it_cannot_start", limit(30), lifecycle::refused(&devnet)).await;
    runner.scenario("bad_requests_are_answered_with_their_status", limit(60), bad_input::inference(&devnet)).await;
    runner.scenario("an_authorisation_pays_once", limit(120), bad_input::replay(&devnet)).await;
    runner.scenario("a_stranger_cannot_settle", limit(60), bad_input::stranger(&devnet)).await;
    runner.scenario("malformed_rpc_gets_a_code", limit(30), bad_input::rpc(&devnet)).await;
    for process in ["openlora", "verifier", "sequencer", "l1"] {
        let name = format!("the_loop_goes_on_after_kill_9_of_{process}");
        runner.scenario(&name, limit(240), crashes::kill(&devnet, &running, process)).await;
    }
    runner.scenario("nothing_was_lost_or_paid_twice", limit(30), crashes::books(&devnet)).await;
    runner.scenario("ctrl_c_leaves_nothing_running", limit(90), lifecycle::stopped(&devnet, &mut running)).await;
    runner.scenario("nothing_outlives_a_killed_supervisor", limit(120), lifecycle::orphans(&devnet)).await;
    runner.finish()
}
