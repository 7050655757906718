/// Finds stop texts in an answer that arrives in pieces. What could be the beginning of one is held back.
#[derive(Debug)]
pub(super) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    pub(super) fn new(stops: Vec<String>) -> Self {
        Self { stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(), held: String::new() }
    }

    /// The text that is certain to belong to the answer, and whether a stop text has ended it.
    pub(super) fn push(&mut self, text: &str) -> (String, bool) {
        self.held.push_str(text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let longest = self.stops.iter().map(String::len).max().unwrap_or(0);
        let from = self.held.len().saturating_sub(longest);
        let keep = (from..self.held.len())
            .filter(|&at| self.held.is_char_boundary(at))
            .find(|&at| self.stops.iter().any(|stop| stop.starts_with(&self.held[at..])))
            .unwrap_or(self.held.len());
        let rest = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, once no more text comes.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let mut matcher = StopMatcher::new(stops.iter().map(|&stop| stop.to_owned()).collect());
        let mut out = Vec::new();
        for piece in pieces {
            let (text, stopped) = matcher.push(piece);
            out.push(text);
            if stopped {
                return (out, true);
            }
        }
        out.push(matcher.finish());
        (out, false)
    }

    #[test]
    fn a_stop_text_over_several_pieces_is_never_shown() {
        assert_eq!(run(&["END"], &["one E", "N", "D two"]), (vec!["one ".into(), String::new(), String::new()], true));
        assert_eq!(run(&["END"], &["EN", "E", "NDx"]), (vec![String::new(), "EN".into(), String::new()], true));
    }

    #[test]
    fn what_only_looked_like_a_stop_is_given_out() {
        assert_eq!(run(&["END"], &["an EN", "try"]), (vec!["an ".into(), "ENtry".into(), String::new()], false));
        assert_eq!(run(&["END"], &["an EN"]), (vec!["an ".into(), "EN".into()], false));
        assert_eq!(run(&[], &["é", "x"]), (vec!["é".into(), "x".into(), String::new()], false));
    }

    #[test]
    fn the_earliest_stop_wins_and_characters_stay_whole() {
        assert_eq!(run(&["b", "ab"], &["xab"]), (vec!["x".into()], true));
        assert_eq!(run(&["日本"], &["a日", "中日本"]), (vec!["a".into(), "日中".into()], true));
    }
}
