//! `echo`: a template that returns the rows that it was last shown. `validate` keeps a batch, `generate`
//! gives it back, so every Arrow type can be seen to make the trip through a guest unchanged.

use luthier_plugin::json::Value;
use luthier_plugin::{
    Answer, Batch, ColumnSpec, Context, Databases, Error, LogicalType, Message, Roles, Stages, Template,
    TemplateDescriptor, Verdict, export_template,
};

/// The opened template.
#[derive(Default)]
pub struct Echo {
    kept: Batch,
}

impl Template for Echo {
    fn describe() -> TemplateDescriptor {
        let plain = |name: &str, ty: LogicalType| ColumnSpec::new(name, ty, "").nullable();
        let any = |name: &str, ty: &str| ColumnSpec::ipc(name, ty, "").nullable();
        TemplateDescriptor {
            id: "echo".into(),
            version: "0.1.0".into(),
            summary: "returns the rows that it was last shown".into(),
            row_schema: vec![
                ColumnSpec::new("text", LogicalType::Utf8, ""),
                plain("nullable", LogicalType::Utf8),
                plain("integer", LogicalType::Int64),
                plain("float", LogicalType::Float64),
                plain("flag", LogicalType::Boolean),
                any("list", "List(Int64)"),
                ColumnSpec::new("struct", LogicalType::Ipc, "any type").nullable(),
                any("decimal", "Decimal128(10, 2)"),
                ColumnSpec::new("timestamp", LogicalType::Ipc, "any type").nullable(),
                any("date", "Date32"),
                any("bytes", "Binary"),
                any("color", "Utf8"),
                ColumnSpec::new("map", LogicalType::Ipc, "any type").nullable(),
                plain("small", LogicalType::Ipc),
            ],
            roles: Roles { prompt: vec!["text".into()], ..Roles::default() },
            stages: Stages { generate: true, validate: true, ..Stages::default() },
            ..TemplateDescriptor::default()
        }
    }

    fn open(_config: Value, _context: Context, _databases: Box<dyn Databases>) -> Result<Self, Error> {
        Ok(Self::default())
    }

    fn generate(&mut self, _n: u32) -> Result<Batch, Error> {
        Ok(std::mem::take(&mut self.kept))
    }

    fn prompt(&mut self, rows: &Batch, _shots: &Batch) -> Result<Vec<Vec<Message>>, Error> {
        let texts = rows.utf8("text")?;
        Ok((0..rows.rows).map(|row| vec![Message::user(texts.text(row))]).collect())
    }

    fn extract(&mut self, completions: &[String]) -> Result<Vec<Answer>, Error> {
        Ok(completions.iter().cloned().map(Answer::Found).collect())
    }

    fn validate(&mut self, rows: &Batch) -> Result<Vec<Verdict>, Error> {
        self.kept = rows.clone();
        Ok(vec![Verdict::keep(); rows.rows])
    }
}

export_template!(Echo);
