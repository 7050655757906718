use std::fmt;

/// What was found by each method, over the queries of one kind.
pub(crate) struct Table {
    title: &'static str,
    rows: Vec<(&'static str, Row)>,
}

#[derive(Default)]
struct Row {
    queries: f64,
    /// Queries whose own datum is first, and among the first five; sum of one over its rank.
    first: f64,
    five: f64,
    reciprocal: f64,
    has_own: bool,
    /// Sum of the areas under the ROC curve for "same contributor", the own datum left out.
    auc: f64,
    with_auc: f64,
}

impl Table {
    pub(crate) fn new(title: &'static str) -> Self {
        Self { title, rows: Vec::new() }
    }

    pub(crate) fn add(
        &mut self,
        own: Option<usize>,
        relevant: impl Fn(usize) -> bool,
        all: &[(&'static str, Vec<f64>)],
    ) {
        for (name, scores) in all {
            if !self.rows.iter().any(|(known, _)| known == name) {
                self.rows.push((name, Row::default()));
            }
            let row = &mut self.rows.iter_mut().find(|(known, _)| known == name).expect("just added").1;
            row.queries += 1.0;
            if let Some(own) = own {
                let rank = 1 + scores.iter().filter(|score| **score > scores[own]).count();
                row.has_own = true;
                row.first += f64::from(u8::from(rank == 1));
                row.five += f64::from(u8::from(rank <= 5));
                row.reciprocal += 1.0 / rank as f64;
            }
            if let Some(auc) = auc(scores, own, &relevant) {
                row.auc += auc;
                row.with_auc += 1.0;
            }
        }
    }
}

/// Share of pairs of a relevant and another datum in which the relevant one has the higher score.
fn auc(scores: &[f64], own: Option<usize>, relevant: impl Fn(usize) -> bool) -> Option<f64> {
    let others = (0..scores.len()).filter(|id| Some(*id) != own);
    let (yes, no): (Vec<usize>, Vec<usize>) = others.partition(|id| relevant(*id));
    let wins = |a: f64, b: f64| if a > b { 1.0 } else { f64::from(u8::from(a == b)) / 2.0 };
    let sum: f64 =
        yes.iter().flat_map(|a| no.iter().map(move |b| (*a, *b))).map(|(a, b)| wins(scores[a], scores[b])).sum();
    (!yes.is_empty() && !no.is_empty()).then(|| sum / (yes.len() * no.len()) as f64)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queries = self.rows.first().map_or(0.0, |(_, row)| row.queries);
        writeln!(f, "\n{} ({queries} queries)", self.title)?;
        for (name, row) in &self.rows {
            write!(f, "  {name:<16}")?;
            if row.has_own {
                let share = |sum: f64| sum / row.queries;
                write!(
                    f,
                    " first {:.2}  in five {:.2}  MRR {:.3} ",
                    share(row.first),
                    share(row.five),
                    share(row.reciprocal)
                )?;
            }
            writeln!(f, " contributor AUC {:.3} ({} queries)", row.auc / row.with_auc, row.with_auc)?;
        }
        Ok(())
    }
}
