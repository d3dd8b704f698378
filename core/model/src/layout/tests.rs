//! Names of modules and PEFT's way to select them.

use super::*;
use crate::testing::tiny_config;

#[test]
fn a_module_is_selected_by_its_path_or_its_end_after_a_dot() {
    let (_, layout) = layout(&tiny_config());
    let module = &layout.modules[layout.blocks[1].modules.end - 1];
    assert_eq!(module.path, "model.layers.1.mlp.down_proj");
    for target in ["down_proj", "mlp.down_proj", "1.mlp.down_proj", "model.layers.1.mlp.down_proj"] {
        assert!(module.is_named(target), "{target}");
    }
    for target in ["proj", "up_proj", "own_proj", "0.mlp.down_proj", ""] {
        assert!(!module.is_named(target), "{target}");
    }
}

#[test]
fn modules_are_listed_block_after_block() {
    let (specs, layout) = layout(&tiny_config());
    assert_eq!(layout.module_names(), ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]);
    assert_eq!(layout.blocks[1].modules, 7..14);
    for module in &layout.modules {
        assert_eq!(specs[module.weight].name, format!("{}.weight", module.path));
        assert_eq!(specs[module.weight].shape, [module.out_size, module.in_size]);
    }
}
