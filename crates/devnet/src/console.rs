use std::io::{self, IsTerminal, Write};

/// What the user sees: plain lines, with colour only on a terminal.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    colour: bool,
    quiet: bool,
}

impl Console {
    /// Writes to standard output; `NO_COLOR` is respected.
    pub fn new() -> Self {
        Self { colour: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(), quiet: false }
    }

    /// Writes nothing.
    pub const fn quiet() -> Self {
        Self { colour: false, quiet: true }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A line as it is.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            // A closed pipe must not end the devnet.
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// The head of a part.
    pub fn title(&self, text: &str) {
        self.line("");
        self.line(&self.paint("1;36", &format!("── {text}")));
    }

    /// A name and its value.
    pub fn item(&self, name: &str, value: impl std::fmt::Display) {
        self.line(&format!("   {} {value}", self.paint("2", &format!("{name:<14}"))));
    }

    /// Something that was checked and held.
    pub fn held(&self, text: &str) {
        self.line(&format!("   {} {text}", self.paint("32", "✓")));
    }

    /// Something that the user may wonder about.
    pub fn note(&self, text: &str) {
        self.line(&format!("   {}", self.paint("2", text)));
    }

    /// Something that went wrong and is being dealt with.
    pub fn warn(&self, text: &str) {
        self.line(&format!("   {} {text}", self.paint("33", "!")));
    }

    /// Text that goes on where the last one ended.
    pub fn stream(&self, text: &str) {
        if !self.quiet {
            let _ = write!(io::stdout(), "{text}");
            // A closed pipe must not end the devnet.
            let _ = io::stdout().flush();
        }
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}
