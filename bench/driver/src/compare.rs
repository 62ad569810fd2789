//! Measures a work in pairs and makes rows of it.

use std::time::Duration;

use bench_scan::{Delays, Tally};

use crate::client::{self, Peer};
use crate::options::Options;
use crate::peers::Clients;
use crate::pin::Processors;
use crate::process::{self, Probe, Run};
use crate::report::{Report, Row};
use crate::server::Server;
use crate::work::{Task, Unit, Work};
use crate::{Failure, step};

/// Where comparisons take place. Works that need the same server follow each other and share it.
pub(crate) struct Stage {
    processors: Processors,
    server: Option<Server>,
}

impl Stage {
    pub(crate) fn new() -> Result<Stage, Failure> {
        Ok(Stage { processors: Processors::find()?, server: None })
    }

    /// Does a work with all peers. What fails becomes an error of the report, and the rest goes on.
    pub(crate) fn compare(
        &mut self,
        work: &Work,
        clients: &Clients,
        options: &Options,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if self.server.as_ref().is_none_or(|server| server.load != work.load) {
            // The old one first: both at once would want much memory.
            self.server = None;
            self.server = Some(Server::start(work.load, clients, &self.processors)?);
        }
        let Some(server) = &self.server else { return Ok(()) };
        step(work.name);
        let bench = Bench { work, clients, server, processors: &self.processors };
        let wanted = match bench.first() {
            Ok(tally) => tally,
            Err(error) => {
                report.error(work.name, "tidegate", &error.to_string());
                return Ok(());
            }
        };
        for &peer in work.peers.iter().filter(|&&peer| work.fits(peer, options.pace) && bench.has(peer)) {
            match bench.pairs(peer, wanted, options) {
                Ok(rows) => rows.into_iter().try_for_each(|row| report.row(row))?,
                Err(error) => report.error(work.name, peer.name(), &error.to_string()),
            }
        }
        Ok(())
    }
}

struct Bench<'a> {
    work: &'a Work,
    clients: &'a Clients,
    server: &'a Server,
    processors: &'a Processors,
}

impl Bench<'_> {
    fn has(&self, peer: Peer) -> bool {
        client::theirs(peer, self.work.task, self.clients, self.server).is_some()
    }

    /// The run that compiles the guest; what there is to be found.
    fn first(&self) -> Result<Tally, Failure> {
        Ok(self.ours()?.tally)
    }

    fn ours(&self) -> Result<Run, Failure> {
        let _probe = self.probe()?;
        let (command, telling) = client::ours(self.work.task, self.clients, self.server);
        process::measure(command, telling, self.work.pin, self.processors)
    }

    fn theirs(&self, peer: Peer) -> Result<Run, Failure> {
        let client = client::theirs(peer, self.work.task, self.clients, self.server);
        let (command, telling) = client.ok_or("is not installed")?;
        let _probe = self.probe()?;
        process::measure(command, telling, self.work.pin, self.processors)
    }

    /// Who writes what is watched, where the work needs that.
    fn probe(&self) -> Result<Option<Probe>, Failure> {
        let Task::Behind { writers, .. } = self.work.task else { return Ok(None) };
        Probe::start(client::probe(writers, self.clients, self.server)).map(Some)
    }

    /// A B A B: what changes on the machine meanwhile changes it for both.
    fn pairs(&self, peer: Peer, wanted: Tally, options: &Options) -> Result<Vec<Row>, Failure> {
        if self.work.warms_up(options.pace) {
            self.theirs(peer)?;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..self.work.repetitions(options.pace) {
            ours.push(same(self.ours()?, wanted)?);
            theirs.push(same(self.theirs(peer)?, wanted)?);
        }
        let row =
            |&unit: &Unit| Row::new(self.work.name, unit, peer, &sample(unit, &ours), &sample(unit, &theirs));
        Ok(self.work.units.iter().map(row).collect())
    }
}

fn sample(unit: Unit, runs: &[Run]) -> Sample {
    let delay = |run: &Run, which: fn(&Delays) -> Duration| {
        run.tally.delays.map_or(f64::NAN, |delays| which(&delays).as_secs_f64() * 1e3)
    };
    let value = |run: &Run| match unit {
        Unit::Milliseconds => run.whole.as_secs_f64() * 1e3,
        Unit::Seconds => run.whole.as_secs_f64(),
        Unit::PerSecond => run.tally.count as f64 / run.tally.elapsed.as_secs_f64(),
        Unit::Median => delay(run, |delays| delays.median),
        Unit::P99 => delay(run, |delays| delays.p99),
        Unit::Worst => delay(run, |delays| delays.worst),
    };
    let megabytes = |run: &Run| run.peak as f64 / 1e6;
    Sample { value: median(runs.iter().map(value)), megabytes: median(runs.iter().map(megabytes)) }
}

/// The medians of one client's runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// In the work's unit.
    pub(crate) value: f64,
    /// The most memory at once, in 10⁶ bytes.
    pub(crate) megabytes: f64,
}

fn same(run: Run, wanted: Tally) -> Result<Run, Failure> {
    let Tally { count, weight, .. } = run.tally;
    if (count, weight) == (wanted.count, wanted.weight) {
        return Ok(run);
    }
    let Tally { count: first, weight: heavy, .. } = wanted;
    Err(format!(
        "found {count} of weight {weight}, where tidegate's first run found {first} of weight {heavy}"
    )
    .into())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn medians() {
        for (values, wanted) in
            [(vec![3.0], 3.0), (vec![9.0, 1.0, 2.0], 2.0), (vec![4.0, 1.0, 2.0, 100.0], 3.0)]
        {
            assert_eq!(median(values.into_iter()), wanted);
        }
        assert!(median(std::iter::empty()).is_nan());
    }
}
