//! What `use luthier::prelude::*;` brings in: enough for every cell of the book.

pub use crate::dataset::{Dataset, dataset};
pub use crate::display::Show;
pub use crate::error::{Error, Result};
pub use crate::evaluation::{Prediction, Scores};
pub use crate::model::{Adapter, Answer, Ask, Generate, Model, adapter, ask, load};
pub use crate::notebook::{Content, clear_output, display, input, input_password};
pub use crate::protocol::StepEvent;
pub use crate::protocol::spec::{DatasetSpec, GenerationSpec, Method};
pub use crate::run::{Lora, Run, Train};
pub use serde::{Deserialize, Serialize};
