//! Lists: the device, models, adapters, runs, plugins.

use luthier_protocol::response::{AdapterInfo, DeviceInfo, ModelInfo, PluginInfo, RunInfo};

use super::{MimeBundle, Table, html, number, text};

/// A table under a title, or a sentence if it has no rows.
pub(super) fn titled(title: &str, table: &Table, empty: &str) -> MimeBundle {
    if table.is_empty() {
        return MimeBundle::text(empty).html(html::faint(empty));
    }
    MimeBundle::text(format!("{title}\n\n{}", table.to_text())).html(format!(
        "{}{}",
        html::title(title),
        table.to_html()
    ))
}

/// Facts in two columns, without a header worth reading.
pub(super) fn facts(title: &str, rows: impl IntoIterator<Item = (&'static str, String)>) -> MimeBundle {
    let rows: Vec<_> = rows.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let widest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows.iter().map(|(name, value)| format!("  {name:widest$}  {}", text::one_line(value)));
    let plain = std::iter::once(text::one_line(title)).chain(lines).collect::<Vec<_>>().join("\n");
    let cells: String = rows
        .iter()
        .map(|(name, value)| {
            format!(
                "<tr><td style=\"text-align:left;opacity:.7\">{}</td><td style=\"text-align:left\">{}</td></tr>",
                html::escape(name),
                html::escape(value)
            )
        })
        .collect();
    MimeBundle::text(plain).html(format!(
        "{}<table style=\"margin:.2em 0;color:inherit\"><tbody>{cells}</tbody></table>",
        html::title(title)
    ))
}

/// `%device`.
pub fn device(device: &DeviceInfo) -> MimeBundle {
    let loaded = if device.loaded.is_empty() { "none".to_owned() } else { device.loaded.join(", ") };
    facts(
        &format!("{} · {}", device.device, device.name),
        [
            ("threads", device.threads.to_string()),
            ("memory", number::bytes(device.memory_bytes)),
            ("engine", format!("{} (process {}, {})", device.engine, device.pid, number::bytes(device.resident_bytes))),
            ("loaded", loaded),
        ],
    )
}

/// `%models`.
pub fn models(models: &[ModelInfo]) -> MimeBundle {
    let mut table = Table::new(["model", "architecture", "#parameters", "#context", "dtype", "loaded", "source"]);
    for model in models {
        table.row([
            model.name.clone(),
            model.architecture.clone(),
            number::short(model.n_parameters),
            number::count(model.max_seq_len as u64),
            model.dtype.clone(),
            if model.loaded { "yes" } else { "" }.into(),
            model.source.clone(),
        ]);
    }
    titled("Models", &table, "No models are known.")
}

/// `%load`.
pub fn loaded(model: &ModelInfo) -> MimeBundle {
    facts(
        &format!("{} is loaded", model.name),
        [
            ("architecture", model.architecture.clone()),
            ("parameters", number::count(model.n_parameters)),
            (
                "shape",
                format!(
                    "{} layers of width {}, vocabulary {}, context {}",
                    model.n_layers, model.hidden_size, model.vocab_size, model.max_seq_len
                ),
            ),
            ("dtype", model.dtype.clone()),
            ("source", model.source.clone()),
            ("weights", number::hash(&model.fingerprint)),
            ("notes", model.notes.clone()),
        ],
    )
}

/// `%adapters`.
pub fn adapters(adapters: &[AdapterInfo]) -> MimeBundle {
    let mut table =
        Table::new(["adapter", "base", "method", "#trained", "data", "#final loss", "created", "directory"]);
    for adapter in adapters {
        table.row([
            adapter.name.clone(),
            adapter.base_model.clone(),
            adapter.method.clone(),
            number::short(adapter.n_trainable),
            adapter.data.clone(),
            number::loss(adapter.final_loss),
            adapter.created.clone(),
            adapter.dir.clone(),
        ]);
    }
    titled("Adapters", &table, "No adapter has been trained in this project yet; %%finetune trains one.")
}

/// `%attach` and `%detach`.
pub fn attached(adapters: &[AdapterInfo]) -> MimeBundle {
    let mut table = Table::new(["adapter", "base", "method", "#trained", "directory"]);
    for adapter in adapters {
        table.row([
            adapter.name.clone(),
            adapter.base_model.clone(),
            adapter.method.clone(),
            number::short(adapter.n_trainable),
            adapter.dir.clone(),
        ]);
    }
    titled("Attached adapters", &table, "No adapter is attached; %attach keeps one in memory.")
}

/// `%runs`.
pub fn runs(runs: &[RunInfo]) -> MimeBundle {
    let mut table =
        Table::new(["run", "name", "status", "model", "data", "#steps", "#loss", "#time", "started", "note"]);
    for run in runs {
        table.row([
            run.run.clone(),
            run.name.clone(),
            run.status.clone(),
            run.model.clone(),
            run.data.clone(),
            format!("{}/{}", run.global_step, run.total_steps),
            run.loss.map(number::loss).unwrap_or_default(),
            number::seconds(run.seconds),
            run.started.clone(),
            run.message.clone().unwrap_or_default(),
        ]);
    }
    titled("Runs", &table, "No run has been started in this project yet.")
}

/// `%plugins`.
pub fn plugins(plugins: &[PluginInfo]) -> MimeBundle {
    let mut table = Table::new(["plugin", "kind", "version", "may use", "#size", "digest", "what it does"]);
    for plugin in plugins {
        table.row([
            plugin.id.clone(),
            plugin.kind.clone(),
            plugin.version.clone(),
            if plugin.imports.is_empty() { "nothing".into() } else { plugin.imports.join(", ") },
            number::bytes(plugin.size_bytes),
            number::hash(&plugin.digest),
            plugin.summary.clone(),
        ]);
    }
    titled("Plugins", &table, "No plugin is installed.")
}
