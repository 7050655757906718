use std::{
    io,
    time::{SystemTime, UNIX_EPOCH},
};

use minijinja::{Environment, Error, ErrorKind, State, Value, context};
use serde::{Deserialize, Serialize};

use crate::{BackboneError, Tokenizer, gguf::Gguf, strftime::strftime};

/// Instructions that a template may run: a loop in a hostile file ends with an error.
const FUEL: u64 = 5_000_000;
/// Longest rendered prompt in bytes; the context is far shorter.
const MAX_OUTPUT: usize = 8 << 20;
const MAX_RECURSION: usize = 50;
const TEMPLATE: &str = "chat";

/// A message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or what else the template knows.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// The chat template of a GGUF file, a Jinja template in the dialect of Hugging Face transformers.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// The file's template, if it has one.
    pub fn from_gguf<R>(gguf: &Gguf<R>, tokenizer: &Tokenizer) -> Result<Option<Self>, BackboneError> {
        let Ok(source) = gguf.string("tokenizer.chat_template") else { return Ok(None) };
        let token = |key: &str| gguf.u32(key).ok().and_then(|id| tokenizer.text(id)).unwrap_or_default();
        let (bos, eos) = (token("tokenizer.ggml.bos_token_id"), token("tokenizer.ggml.eos_token_id"));
        Self::new(source.to_owned(), bos, eos).map(Some)
    }

    /// From a template's source and the texts of the tokens that it may name.
    pub fn new(source: String, bos: String, eos: String) -> Result<Self, BackboneError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(string_method);
        environment.add_function("raise_exception", |message: String| -> Result<(), Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment.add_function("strftime_now", |format: String| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
            strftime(&format, now)
        });
        environment.add_template_owned(TEMPLATE, source).map_err(template_error)?;
        Ok(Self { environment, bos, eos })
    }

    /// The prompt for a conversation. With `generation_prompt` it ends where the assistant begins to speak.
    pub fn render(&self, messages: &[ChatMessage], generation_prompt: bool) -> Result<String, BackboneError> {
        let template = self.environment.get_template(TEMPLATE).map_err(template_error)?;
        let context = context! {
            messages => messages, add_generation_prompt => generation_prompt, bos_token => self.bos, eos_token => self.eos,
        };
        let mut out = Limited(Vec::new());
        template.render_captured_to(context, &mut out).map_err(template_error)?;
        String::from_utf8(out.0).map_err(|error| BackboneError::Template(error.to_string()))
    }
}

/// The methods of Python's strings that templates call and Jinja for Rust does not have.
fn string_method(_: &State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::new(ErrorKind::UnknownMethod, format!("no method {method}"));
    let text = value.as_str().ok_or_else(unknown)?;
    let argument = args.first().and_then(Value::as_str);
    Ok(match (method, argument) {
        ("strip", None) => text.trim().into(),
        ("lstrip", None) => text.trim_start().into(),
        ("rstrip", None) => text.trim_end().into(),
        ("upper", None) => text.to_uppercase().into(),
        ("lower", None) => text.to_lowercase().into(),
        ("startswith", Some(prefix)) => text.starts_with(prefix).into(),
        ("endswith", Some(suffix)) => text.ends_with(suffix).into(),
        ("split", Some(separator)) if !separator.is_empty() => text.split(separator).map(Value::from).collect(),
        _ => return Err(unknown()),
    })
}

struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(io::Error::other("the rendered prompt is too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn template_error(error: Error) -> BackboneError {
    BackboneError::Template(match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, content: &str) -> Result<String, BackboneError> {
        let template = ChatTemplate::new(source.into(), "<s>".into(), "</s>".into())?;
        template.render(&[ChatMessage { role: "user".into(), content: content.into() }], true)
    }

    #[test]
    fn blocks_swallow_their_line_and_tokens_are_known() {
        let source = "{% for m in messages %}\n  {% if true %}\n{{ bos_token + m.content.strip() }}\n  {% endif %}\n{% endfor %}";
        assert_eq!(render(source, " hi ").unwrap(), "<s>hi\n");
    }

    #[test]
    fn a_template_may_refuse() {
        let error = render("{{ raise_exception('roles must alternate') }}", "x").unwrap_err();
        assert!(error.to_string().contains("roles must alternate"), "{error}");
    }

    #[test]
    fn endless_work_is_cut() {
        let source = "{% for a in range(9999) %}{% for b in range(9999) %}{{ messages }}{% endfor %}{% endfor %}";
        assert!(matches!(render(source, "x"), Err(BackboneError::Template(_))));
        assert!(render("{{ strftime_now('%Y') }}", "x").unwrap().parse::<u32>().unwrap() >= 2024);
    }
}
