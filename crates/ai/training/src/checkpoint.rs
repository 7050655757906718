use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{AdamW, Error, EvaluationRecord, Result, StepRecord, files};

const STATE: &str = "state.json";
const TENSORS: &str = "tensors.safetensors";

/// Everything besides tensors that training needs to go on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// A checkpoint counts only for the run it is of.
    pub(crate) plan: B256,
    /// Optimiser steps done, skipped ones included: where in the order of the data to go on.
    pub(crate) step: usize,
    /// Steps that AdamW took.
    pub(crate) optimizer_step: i32,
    pub(crate) steps: Vec<StepRecord>,
    pub(crate) evaluations: Vec<EvaluationRecord>,
    pub(crate) skipped_steps: usize,
    pub(crate) seconds: f64,
    pub(crate) tokens: usize,
}

/// The folder of checkpoints: each is a folder of its own that appears by a rename, whole; the newest is kept.
#[derive(Debug)]
pub(crate) struct Checkpoints(PathBuf);

impl Checkpoints {
    pub(crate) fn new(output: &Path) -> Self {
        Self(output.join("checkpoints"))
    }

    pub(crate) fn save(&self, state: &State, parameters: &[&Tensor], optimizer: &AdamW) -> Result<()> {
        let target = self.0.join(format!("step-{:08}", state.step));
        let temporary = self.0.join("unfinished");
        remove(&temporary)?;
        fs::create_dir_all(&temporary).map_err(Error::io("create", &temporary))?;
        let (_, first, second) = optimizer.state();
        let mut tensors = Vec::new();
        for (i, ((parameter, first), second)) in parameters.iter().zip(first).zip(second).enumerate() {
            for (kind, tensor) in [("parameter", *parameter), ("first", first), ("second", second)] {
                tensors
                    .push((format!("{kind}.{i}"), tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?));
            }
        }
        Tensor::write_safetensors(&tensors, temporary.join(TENSORS))?;
        let bytes = serde_json::to_vec(state).expect("a state is plain data");
        files::write_atomically(&temporary.join(STATE), &bytes)?;
        let publish = || {
            File::open(temporary.join(TENSORS))?.sync_all()?;
            files::sync_folder(&temporary)?;
            if target.exists() {
                fs::remove_dir_all(&target)?;
            }
            fs::rename(&temporary, &target)?;
            files::sync_folder(&self.0)
        };
        publish().map_err(Error::io("write", &target))?;
        for other in self.all()?.into_iter().filter(|path| *path != target) {
            remove(&other)?;
        }
        Ok(())
    }

    /// Puts the newest checkpoint of this plan into the parameters and the optimiser. A damaged one is passed over.
    pub(crate) fn load(&self, plan: B256, parameters: &[&Tensor], optimizer: &mut AdamW) -> Result<Option<State>> {
        for path in self.all()?.into_iter().rev() {
            match read(&path, plan, parameters, optimizer) {
                Ok(Some(state)) => return Ok(Some(state)),
                Ok(None) => tracing::info!(path = %path.display(), "this checkpoint is of another run"),
                Err(error) => tracing::warn!(path = %path.display(), %error, "this checkpoint cannot be read"),
            }
        }
        Ok(None)
    }

    pub(crate) fn clear(&self) -> Result<()> {
        remove(&self.0)
    }

    /// Complete checkpoints, oldest first.
    fn all(&self) -> Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", &self.0)(error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(Error::io("read", &self.0))?;
            if entry.file_name().to_string_lossy().starts_with("step-") {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn read(folder: &Path, plan: B256, parameters: &[&Tensor], optimizer: &mut AdamW) -> Result<Option<State>> {
    let wrong = |reason: String| Error::damaged(folder, reason);
    let bytes = files::read_bounded(&folder.join(STATE), 1 << 30)?.ok_or_else(|| wrong("it has no state".into()))?;
    let state: State = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if state.plan != plan {
        return Ok(None);
    }
    let tensors: std::collections::HashMap<_, _> =
        Tensor::read_safetensors(folder.join(TENSORS))?.into_iter().collect();
    let find = |kind: &str| {
        parameters
            .iter()
            .enumerate()
            .map(|(i, parameter)| match tensors.get(&format!("{kind}.{i}")) {
                Some(tensor) if tensor.size() == parameter.size() && tensor.kind() == parameter.kind() => {
                    Ok(tensor.f_to_device(parameter.device())?)
                }
                _ => Err(wrong(format!("{kind} {i} is missing or has another shape"))),
            })
            .collect::<Result<Vec<_>>>()
    };
    let (values, first, second) = (find("parameter")?, find("first")?, find("second")?);
    let _no_grad = tch::no_grad_guard();
    for (parameter, value) in parameters.iter().zip(&values) {
        parameter.f_detach()?.f_copy_(value)?;
    }
    optimizer.restore(state.optimizer_step, first, second);
    Ok(Some(state))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("delete", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn state(step: usize) -> State {
        State { plan: B256::repeat_byte(1), step, optimizer_step: step as i32, ..State::default() }
    }

    #[test]
    fn the_newest_whole_checkpoint_of_the_plan_counts() {
        let folder = TempDir::new().unwrap();
        let checkpoints = Checkpoints::new(folder.path());
        let parameter = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
        let mut optimizer = AdamW::new(&[&parameter], 0.0).unwrap();
        assert_eq!(checkpoints.load(B256::repeat_byte(1), &[&parameter], &mut optimizer).unwrap(), None);
        for step in 1..=2 {
            optimizer.step(&[&parameter], &[Tensor::from_slice(&[1.0f32, -1.0])], 0.1).unwrap();
            checkpoints.save(&state(step), &[&parameter], &optimizer).unwrap();
        }
        assert_eq!(checkpoints.all().unwrap().len(), 1);

        let other = Tensor::from_slice(&[0.0f32, 0.0]).set_requires_grad(true);
        let mut fresh = AdamW::new(&[&other], 0.0).unwrap();
        assert_eq!(checkpoints.load(B256::repeat_byte(2), &[&other], &mut fresh).unwrap(), None);
        assert_eq!(checkpoints.load(B256::repeat_byte(1), &[&other], &mut fresh).unwrap(), Some(state(2)));
        assert_eq!(other, parameter);
        for (tensor, optimizer) in [(&parameter, &mut optimizer), (&other, &mut fresh)] {
            optimizer.step(&[tensor], &[Tensor::from_slice(&[0.5f32, 3.0])], 0.1).unwrap();
        }
        assert_eq!(other, parameter, "the moments came along");

        // A later one that was cut short is passed over; one of another shape too.
        fs::create_dir(checkpoints.0.join("step-00000009")).unwrap();
        fs::write(checkpoints.0.join("step-00000009").join(STATE), "{").unwrap();
        assert!(checkpoints.load(B256::repeat_byte(1), &[&other], &mut fresh).unwrap().is_some());
        let wide = Tensor::from_slice(&[0.0f32; 3]);
        assert_eq!(checkpoints.load(B256::repeat_byte(1), &[&wide], &mut fresh).unwrap(), None);
        checkpoints.clear().unwrap();
        assert_eq!(checkpoints.all().unwrap(), Vec::<PathBuf>::new());
    }
}
