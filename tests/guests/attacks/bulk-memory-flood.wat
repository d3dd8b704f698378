;; Fills 48 MiB again and again: few instructions, much work.
(core module $m
    (memory (export "memory") 800)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 4096)
    (func (export "describe") (result i32) i32.const 0)
    (func (export "score-row") (param i32 i32 i32 i32 i32 i32) (result i32)
        (loop (memory.fill (i32.const 65536) (i32.const 7) (i32.const 48000000)) br 0) unreachable)
    (data (i32.const 0) "\10\00\00\00\6d\00\00\00")
    (data (i32.const 16) "{\22id\22:\22attack\22,\22version\22:\220\22,\22summary\22:\22s\22,\22direction\22:\22higher\22,\22aggregate\22:\22proportion\22,\22lower\22:0,\22upper\22:1}"))
