//! Figures as lines for people and as a table for the book.

use std::{fs, path::Path, time::Duration};

use crate::{
    BenchError,
    floor::Floor,
    measure::Measurement,
    settle::{CONTRIBUTORS, RECEIPTS},
    stage::Node,
};

const BEGIN: &str = "<!-- bench: begin -->";
const END: &str = "<!-- bench: end -->";

impl Measurement {
    /// Included transactions in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.transactions as f64 / self.elapsed.as_secs_f64()
    }

    fn megagas(&self) -> f64 {
        self.gas as f64 / 1e6 / self.elapsed.as_secs_f64()
    }

    /// Per transaction, in microseconds.
    fn micros(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.transactions as f64
    }

    /// Where the node's time went, per transaction.
    pub(crate) fn phases(&self) -> String {
        match &self.usage.phases {
            None => "not exposed".to_owned(),
            Some(phases) => {
                let phase = |(name, seconds): (&String, &f64)| format!("{name} {:.0}", self.micros(*seconds));
                phases.iter().map(phase).collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// One line for the console.
    pub(crate) fn line(&self) -> String {
        let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
        format!(
            "{}: {} included in {:.1} s, {:.0} tx/s, {:.1} Mgas/s, inclusion p50 {} p99 {}; a transaction: node {}, \
             generator {:.0} µs, disk {}; phases in µs: {}",
            self.scenario.name(),
            self.transactions,
            self.elapsed.as_secs_f64(),
            self.per_second(),
            self.megagas(),
            seconds(self.inclusion.0),
            seconds(self.inclusion.1),
            or_unknown(self.usage.node.map(|node| format!("{:.0} µs", self.micros(node)))),
            self.micros(self.usage.own),
            or_unknown(self.bytes().map(|bytes| format!("{bytes} bytes"))),
            self.phases(),
        )
    }

    fn bytes(&self) -> Option<String> {
        self.usage.disk.map(|bytes| (bytes / self.transactions as i64).to_string())
    }

    fn row(&self) -> String {
        let dash = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        format!(
            "| {} | {} | {} | {} | {} | {:.0} | {:.1} | {} | {} | {} | {:.0} | {} |\n",
            self.scenario.name(),
            self.state,
            self.node,
            self.in_flight,
            if self.left == 0 {
                self.transactions.to_string()
            } else {
                format!("{} ({} left)", self.transactions, self.left)
            },
            self.per_second(),
            self.megagas(),
            seconds(self.inclusion.0),
            seconds(self.inclusion.1),
            dash(self.usage.node.map(|node| format!("{:.0}", self.micros(node)))),
            self.micros(self.usage.own),
            dash(self.bytes()),
        )
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

/// The table of all measurements, scenario by scenario so that nodes stand beside each other.
pub(crate) fn table(measurements: &[Measurement]) -> String {
    let mut text = String::from(
        "| scenario | state | node | in flight, at most | transactions | tx/s | Mgas/s | inclusion p50 | p99 | node, CPU µs/tx | generator, CPU µs/tx | disk, bytes/tx |\n\
         |---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    let mut sorted: Vec<_> = measurements.iter().collect();
    sorted.sort_by_key(|one| one.scenario as u8);
    text.extend(sorted.into_iter().map(Measurement::row));
    text.push_str(&format!(
        "\nOne `SETTLE` transaction settles {RECEIPTS} inferences with {CONTRIBUTORS} paid contributors each.\n"
    ));
    text
}

impl Floor {
    fn micros(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.transactions as f64
    }

    /// One line for the console.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}: recovery {:.1} µs, execution {:.1} µs a transaction",
            self.scenario.name(),
            self.micros(self.recover),
            self.micros(self.execute),
        )
    }
}

/// What the transactions cost without a node, and how many times that the sequencer's processor time is.
pub(crate) fn floor_table(floors: &[Floor], nodes: &[Measurement]) -> String {
    let mut text = String::from(
        "The floor, on one core in process: recovery of the sender, and execution by revm on a map in memory.\n\n\
         | scenario | state | recovery, µs/tx | execution, µs/tx | together | tx/s on one core | openledger's CPU over it |\n\
         |---|---|--:|--:|--:|--:|--:|\n",
    );
    for floor in floors {
        let (recover, execute) = (floor.micros(floor.recover), floor.micros(floor.execute));
        let sum = recover + execute;
        let same = |one: &&Measurement| {
            one.scenario == floor.scenario && one.state == floor.state && one.node == Node::Openledger.name()
        };
        let node = nodes.iter().find(same).and_then(|one| Some(one.micros(one.usage.node?)));
        let over = node.map_or_else(|| "–".to_owned(), |node| format!("{:.1}", node / sum));
        text.push_str(&format!(
            "| {} | {} | {recover:.1} | {execute:.1} | {sum:.1} | {:.0} | {over} |\n",
            floor.scenario.name(),
            floor.state,
            1e6 / sum,
        ));
    }
    text
}

/// Where each node that says so spent its time.
pub(crate) fn phase_table(measurements: &[Measurement]) -> String {
    let with_phases: Vec<_> = measurements.iter().filter(|one| one.usage.phases.is_some()).collect();
    if with_phases.is_empty() {
        return "The split by phase is not exposed by these nodes.\n".to_owned();
    }
    let mut text = String::from("| scenario | state | node | µs/tx by phase |\n|---|---|---|---|\n");
    for one in with_phases {
        text.push_str(&format!("| {} | {} | {} | {} |\n", one.scenario.name(), one.state, one.node, one.phases()));
    }
    text
}

/// Puts the text between the markers of a page.
pub(crate) fn write_between_markers(page: &Path, text: &str) -> Result<(), BenchError> {
    let old = fs::read_to_string(page).map_err(BenchError::file(page))?;
    let Some(new) = replaced(&old, text) else {
        return Err(BenchError::Options(format!("{} has no lines {BEGIN} and {END}", page.display())));
    };
    fs::write(page, new).map_err(BenchError::file(page))
}

fn replaced(page: &str, text: &str) -> Option<String> {
    let (head, rest) = page.split_once(BEGIN)?;
    let (_, tail) = rest.split_once(END)?;
    Some(format!("{head}{BEGIN}\n{}\n{END}{tail}", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("# Title\n{BEGIN}\nold\n{END}\nrest\n");
        assert_eq!(replaced(&page, "new\n").unwrap(), format!("# Title\n{BEGIN}\nnew\n{END}\nrest\n"));
        assert_eq!(replaced(&replaced(&page, "new").unwrap(), "old").unwrap(), page);
        assert_eq!(replaced("no markers", "new"), None);
    }
}
