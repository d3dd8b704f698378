;; A schema that refers to itself, with a pattern that takes forever.
(core module $m
    (memory (export "memory") 2)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 70000)
    (func (export "describe") (result i32) i32.const 0)
    (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (i32.store8 (i32.const 65536) (i32.const 0)) (f64.store (i32.const 65544) (f64.const 1)) i32.const 65536)
    (data (i32.const 0) "\10\00\00\00\a7\00\00\00")
    (data (i32.const 16) "{\22id\22:\22attack\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22config-schema\22:{\22$ref\22:\22#\22,\22properties\22:{\22x\22:{\22$ref\22:\22#\22},\22y\22:{\22type\22:\22string\22,\22pattern\22:\22^(a+)+$\22}}}}"))
