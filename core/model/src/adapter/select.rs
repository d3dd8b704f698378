//! Which modules and tensors a configuration means, by PEFT's rules (`check_target_module_exists`,
//! `get_pattern_key` and `_set_trainable` of release 0.21).

use super::config::{ALL_LINEAR, AdapterConfig, AdapterKind, Bias, LoraInit, invalid};
use super::ends::{self, End, EndTarget};
use crate::layout::{Layout, Module, ModuleId};
use crate::{Error, Model, Result};
use regex::Regex;

/// Modules that make keys and values, of which a model has one kind.
const KEYS_AND_VALUES: [&[&str]; 4] = [&["k_proj", "v_proj"], &["qkv_proj"], &["c_attn"], &["query_key_value"]];

/// The last module of a feed-forward layer.
const FEEDFORWARD: [&str; 3] = ["down_proj", "mlp.c_proj", "dense_4h_to_h"];

/// A module that an adapter is put on.
pub(super) struct Target {
    pub(super) id: ModuleId,
    pub(super) r: usize,
    pub(super) alpha: f64,
    /// IA3: the input is scaled.
    pub(super) on_input: bool,
}

/// A tensor of the model that the adapter has a trained copy of.
pub(super) struct Replaced {
    pub(super) tensor: usize,
    /// Without PEFT's prefix.
    pub(super) name: String,
    /// The tensor is the embedding's, its copy serves the head alone.
    pub(super) is_tied_head: bool,
}

/// What a configuration selects in a model.
pub(super) struct Selection {
    pub(super) targets: Vec<Target>,
    /// Embedding and head, where they are adapted.
    pub(super) ends: Vec<EndTarget>,
    pub(super) replaced: Vec<Replaced>,
}

impl Selection {
    /// The configuration with defaults filled in, and what it selects. `strict` refuses names and
    /// patterns that select nothing; a file of PEFT's may have them.
    pub(super) fn new(config: &AdapterConfig, model: &Model, strict: bool) -> Result<(AdapterConfig, Selection)> {
        config.validate()?;
        let layout = &model.weights().layout;
        let config = fill_in(config, layout)?;
        let rule = Rule::new(&config)?;
        let targets: Vec<Target> = (0..layout.modules.len())
            .filter(|&id| rule.selects(&layout.modules[id].path))
            .map(|id| rule.target(id, &layout.modules[id].path))
            .collect();
        let end_paths = ends::paths(model);
        let ends: Vec<EndTarget> = rule.ends(&end_paths);
        ends::check(&config, &ends)?;
        check_names(&config, layout, &end_paths, strict)?;
        if strict {
            let paths = targets.iter().map(|target| layout.modules[target.id].path.as_str());
            rule.check_patterns(layout, &paths.chain(ends.iter().map(|end| end.path.as_str())).collect::<Vec<_>>())?;
        }
        if targets.is_empty() && ends.is_empty() {
            let found = match &config.target_regex {
                Some(regex) => regex.clone(),
                None => config.target_modules.join(", "),
            };
            let expected = format!("a selection of some of {}", layout.module_names().join(", "));
            return invalid("target_modules", &expected, format!("one of nothing ({found})"));
        }
        let replaced = replaced(&config, model, &targets)?;
        check_base(&config, model, &targets, &replaced)?;
        Ok((config, Selection { targets, ends, replaced }))
    }

    /// Whether a selected module stores `[in, out]`.
    pub(super) fn fan_in_fan_out(&self, model: &Model) -> bool {
        self.targets.iter().any(|target| model.weights().layout.modules[target.id].transposed)
    }
}

/// Names of IA3's modules where none are given, `all-linear` spelled out, names in the model's order.
fn fill_in(config: &AdapterConfig, layout: &Layout) -> Result<AdapterConfig> {
    let mut config = config.clone();
    let is_there = |name: &str| layout.modules.iter().any(|module| module.is_named(name));
    let feedforward = || FEEDFORWARD.iter().filter(|name| is_there(name)).map(|name| (*name).to_owned());
    if config.kind == AdapterKind::Ia3 && config.target_modules.is_empty() && config.target_regex.is_none() {
        let names = KEYS_AND_VALUES.iter().find(|names| is_there(names[0])).copied().unwrap_or_default();
        config.target_modules = names.iter().map(|name| (*name).to_owned()).chain(feedforward()).collect();
    }
    if config.target_modules.is_empty() && config.target_regex.is_none() {
        let expected = format!("{ALL_LINEAR} or some of {}", layout.module_names().join(", "));
        return invalid("target_modules", &expected, "empty");
    }
    if config.target_modules.iter().any(|name| name == ALL_LINEAR) {
        config.target_modules = layout.module_names().into_iter().map(str::to_owned).collect();
    }
    config.target_modules.sort_by_key(|name| layout.modules.iter().position(|module| module.is_named(name)));
    config.target_modules.dedup();
    if config.kind == AdapterKind::Ia3 && config.feedforward_modules.is_empty() {
        let selected = |name: &String| {
            config.target_modules.iter().any(|target| target == name || name.ends_with(&format!(".{target}")))
        };
        config.feedforward_modules = feedforward().filter(selected).collect();
    }
    Ok(config)
}

/// Every name selects a module, or in a file at least one; the error lists those that exist.
fn check_names(config: &AdapterConfig, layout: &Layout, ends: &[(End, String)], strict: bool) -> Result<()> {
    let is_end = |name: &str| ends.iter().any(|(_, path)| Module::path_is_named(path, name));
    let is_there = |name: &String| layout.modules.iter().any(|module| module.is_named(name)) || is_end(name);
    let is_lenient = !strict && config.target_modules.iter().any(is_there);
    if config.target_regex.is_none()
        && !is_lenient
        && let Some(name) = config.target_modules.iter().find(|name| !is_there(name))
    {
        return Err(Error::UnknownModule { module: name.clone(), known: layout.module_names().join(", ") });
    }
    Ok(())
}

/// A configuration's expressions, compiled.
struct Rule<'a> {
    config: &'a AdapterConfig,
    target_regex: Option<Regex>,
    saved: Vec<Regex>,
    layer: Vec<Regex>,
    ranks: Vec<(Regex, usize)>,
    alphas: Vec<(Regex, f64)>,
}

impl<'a> Rule<'a> {
    fn new(config: &'a AdapterConfig) -> Result<Self> {
        let layer = match config.layers_pattern.as_slice() {
            // The first number in a path is the block's, a later one an expert's.
            [] => vec![compile("layers_pattern", r"^.*?\.[^.]*\.(\d+)\.", "")?],
            patterns => patterns
                .iter()
                .map(|pattern| compile("layers_pattern", &format!(r"^(?:|.*?\.)(?:{pattern})\.(\d+)\."), pattern))
                .collect::<Result<_>>()?,
        };
        let end = |setting: &str, key: &str| compile(setting, &format!(r"^(?:.*\.)?(?:{key})$"), key);
        Ok(Rule {
            config,
            target_regex: config
                .target_regex
                .as_ref()
                .map(|regex| compile("target_modules", &format!("^(?:{regex})$"), regex))
                .transpose()?,
            saved: config
                .modules_to_save
                .iter()
                .map(|name| compile("modules_to_save", &format!(r"^(?:|.*\.)(?:{name})(?:$|\..*)"), name))
                .collect::<Result<_>>()?,
            layer,
            ranks: config
                .rank_pattern
                .iter()
                .map(|(key, r)| Ok((end("rank_pattern", key)?, *r)))
                .collect::<Result<_>>()?,
            alphas: config
                .alpha_pattern
                .iter()
                .map(|(key, alpha)| Ok((end("alpha_pattern", key)?, *alpha)))
                .collect::<Result<_>>()?,
        })
    }

    fn selects(&self, path: &str) -> bool {
        let is_named = |names: &[String]| names.iter().any(|name| Module::path_is_named(path, name));
        if is_named(&self.config.exclude_modules) || self.saved.iter().any(|saved| saved.is_match(path)) {
            return false;
        }
        match &self.target_regex {
            Some(regex) => regex.is_match(path),
            None => is_named(&self.config.target_modules) && self.is_in_layers(path),
        }
    }

    fn is_in_layers(&self, path: &str) -> bool {
        let number = || self.layer.iter().find_map(|layer| layer.captures(path)?.get(1)?.as_str().parse().ok());
        self.config.layers.is_empty() || number().is_some_and(|number| self.config.layers.contains(&number))
    }

    fn target(&self, id: ModuleId, path: &str) -> Target {
        Target {
            id,
            r: self.ranks.iter().find(|(key, _)| key.is_match(path)).map_or(self.config.r, |(_, r)| *r),
            alpha: self.alphas.iter().find(|(key, _)| key.is_match(path)).map_or(self.config.alpha, |(_, x)| *x),
            on_input: self.config.feedforward_modules.iter().any(|name| path.ends_with(name.as_str())),
        }
    }

    /// Embedding and head, if they are selected; by the first of an end's names that is.
    fn ends(&self, paths: &[(End, String)]) -> Vec<EndTarget> {
        let mut found: Vec<EndTarget> = Vec::new();
        for (end, path) in paths.iter().filter(|(_, path)| self.selects(path)) {
            let Target { r, alpha, .. } = self.target(0, path);
            if found.iter().all(|other| other.end != *end) {
                let scaling = self.config.scaling(r, alpha);
                found.push(EndTarget { end: *end, path: path.clone(), r, scaling });
            }
        }
        found
    }

    /// Every pattern and layer selects something of what is adapted.
    fn check_patterns(&self, layout: &Layout, paths: &[&str]) -> Result<()> {
        let unused = |key: &Regex| !paths.iter().any(|path| key.is_match(path));
        if let Some(i) = self.ranks.iter().position(|(key, _)| unused(key)) {
            return invalid("rank_pattern", "a pattern that matches an adapted module", &self.config.rank_pattern[i].0);
        }
        if let Some(i) = self.alphas.iter().position(|(key, _)| unused(key)) {
            return invalid(
                "alpha_pattern",
                "a pattern that matches an adapted module",
                &self.config.alpha_pattern[i].0,
            );
        }
        let n_layers = layout.blocks.len();
        match self.config.layers.iter().find(|&&layer| layer >= n_layers) {
            Some(layer) => invalid("layers", &format!("block numbers below {n_layers}"), layer),
            None => Ok(()),
        }
    }
}

fn compile(setting: &str, regex: &str, found: &str) -> Result<Regex> {
    Regex::new(regex).or_else(|_| invalid(setting, "a regular expression", found))
}

/// Tensors of `modules_to_save`, and biases.
fn replaced(config: &AdapterConfig, model: &Model, targets: &[Target]) -> Result<Vec<Replaced>> {
    let (layout, tensors) = (&model.weights().layout, &model.weights().tensors);
    let mut replaced = Vec::new();
    let mut unused: Vec<&String> = config.modules_to_save.iter().collect();
    let mut is_saved = |name: &str| {
        // PEFT wraps every module whose path ends with one of the names, without regard to dots.
        let mut modules = name.match_indices('.').map(|(end, _)| &name[..end]);
        let found = modules.find_map(|module| config.modules_to_save.iter().find(|saved| module.ends_with(*saved)));
        unused.retain(|saved| found != Some(*saved));
        found.is_some()
    };
    for (tensor, named) in tensors.iter().enumerate() {
        if is_saved(&named.name) {
            replaced.push(Replaced { tensor, name: named.name.clone(), is_tied_head: false });
        } else if let Some(name) = trained_bias(config, layout, tensor, &named.name, targets) {
            replaced.push(Replaced { tensor, name, is_tied_head: false });
        }
    }
    if layout.head == layout.embedding && is_saved("lm_head.weight") {
        replaced.push(Replaced { tensor: layout.head, name: "lm_head.weight".to_owned(), is_tied_head: true });
    }
    match unused.first() {
        None => Ok(replaced),
        Some(name) => {
            let known = tensors.iter().filter_map(|tensor| tensor.name.strip_suffix(".weight"));
            let mut known: Vec<&str> = known.map(|path| path.rsplit('.').next().unwrap_or(path)).collect();
            known.sort_unstable();
            known.dedup();
            invalid("modules_to_save", &format!("some of {}", known.join(", ")), format!("`{name}`"))
        }
    }
}

/// PEFT's name of a bias that is trained.
fn trained_bias(
    config: &AdapterConfig,
    layout: &Layout,
    tensor: usize,
    name: &str,
    targets: &[Target],
) -> Option<String> {
    let path = name.strip_suffix(".bias")?;
    let is_adapted = targets.iter().any(|target| layout.modules[target.id].bias == Some(tensor));
    match (config.bias, is_adapted) {
        (Bias::None, _) | (Bias::LoraOnly, false) => None,
        (Bias::All | Bias::LoraOnly, true) => Some(format!("{path}.base_layer.bias")),
        (Bias::All, false) => Some(name.to_owned()),
    }
}

/// What the method or a trained copy demands of the base.
fn check_base(config: &AdapterConfig, model: &Model, targets: &[Target], replaced: &[Replaced]) -> Result<()> {
    let weights = model.weights();
    if let Some(replaced) = replaced.iter().find(|it| weights.tensors[it.tensor].values.is_quantized()) {
        return invalid("modules_to_save", "modules that are not quantized", &replaced.name);
    }
    if config.init != LoraInit::Pissa {
        return Ok(());
    }
    for target in targets {
        let module = &weights.layout.modules[target.id];
        let limit = module.in_size.min(module.out_size);
        if target.r > limit {
            return invalid("r", &format!("at most {limit}, the rank of {}", module.path), target.r);
        }
        if weights.tensors[module.weight].values.is_quantized() {
            return invalid("init", "another than PiSSA's on a quantized base", &module.path);
        }
    }
    Ok(())
}
