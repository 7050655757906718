use openledger_backbone::{Backbone, BackboneError, ChatMessage, ChatTemplate};
use openledger_influence::Example;

use crate::{Datum, Result};

/// Lays out a datum as the chat that the server would have: the question through the chat template up to where the
/// assistant begins to speak is the prompt; the answer and the token that ends it are the completion.
///
/// A completion that is too long is cut at `limit` tokens in all; a prompt that leaves no room for one is an error.
pub fn tokenize(backbone: &Backbone, chat: &ChatTemplate, datum: &Datum, limit: usize) -> Result<Example> {
    let message = |role: &str, content: &str| ChatMessage { role: role.into(), content: content.into() };
    let mut messages = vec![message("user", &datum.question)];
    let prompt_text = chat.render(&messages, true)?;
    messages.push(message("assistant", &datum.answer));
    let whole_text = chat.render(&messages, false)?;

    let tokenizer = &backbone.tokenizer;
    let mut prompt: Vec<u32> = tokenizer.bos.into_iter().collect();
    prompt.extend(tokenizer.encode(&prompt_text, true)?);
    // Special tokens written in an answer are plain text: the model must not learn to end where a contributor says.
    let mut completion = tokenizer.encode(&datum.answer, false)?;
    completion.push(end_token(backbone, &prompt_text, &whole_text, &datum.answer)?);
    Ok(Example::new(&prompt, &completion, limit)?)
}

/// The token with which the template ends an answer.
fn end_token(backbone: &Backbone, prompt: &str, whole: &str, answer: &str) -> Result<u32> {
    let ends = &backbone.tokenizer.end_of_generation;
    let closing =
        whole.strip_prefix(prompt).and_then(|rest| rest.trim_start().strip_prefix(answer)).unwrap_or_default();
    let written = backbone.tokenizer.encode(closing, true)?.into_iter().find(|token| ends.contains(token));
    let unknown = || BackboneError::Tokenizer("the file names no token that ends an answer".into());
    Ok(written.or_else(|| ends.first().copied()).ok_or_else(unknown)?)
}

/// All data as examples, in order. The error names the datum.
pub(crate) fn tokenize_all(
    backbone: &Backbone,
    chat: &ChatTemplate,
    data: &[Datum],
    limit: usize,
) -> Result<Vec<Example>> {
    data.iter()
        .map(|datum| {
            tokenize(backbone, chat, datum, limit).inspect_err(|_| {
                tracing::error!(
                    datum = datum.id,
                    question = datum.question,
                    "this datum does not fit; raise --max-tokens"
                );
            })
        })
        .collect()
}
