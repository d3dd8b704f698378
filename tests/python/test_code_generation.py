"""The rows of `code-generation`, judged by the Python that runs this test: another interpreter than the sandbox.

The template's expected values come from its own evaluator in Rust; here its solutions are run, and so are solutions in
which one operator, name or number was changed.
"""

import ast
import copy
import json
import subprocess
import unittest

import test_kernel as support

N_ROWS = 400


def setUpModule():
    support.setUpModule()


def tearDownModule():
    support.tearDownModule()


def passes(program, tests):
    namespace = {}
    try:
        exec(program, namespace)
        exec(tests, namespace)
    except Exception:
        return False
    return True


class Mutator(ast.NodeTransformer):
    """Changes the n-th thing that can be changed."""

    COMPARISONS = {ast.Gt: ast.LtE, ast.Lt: ast.GtE, ast.GtE: ast.Gt, ast.LtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
    OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}
    NAMES = {"sum": "max", "max": "min", "min": "max", "any": "all", "all": "any", "sorted": "list"}

    def __init__(self, wanted):
        self.wanted, self.n, self.what = wanted, -1, None

    def turn(self):
        self.n += 1
        return self.n == self.wanted

    def visit_Compare(self, node):
        self.generic_visit(node)
        for at, operator in enumerate(node.ops):
            if type(operator) in self.COMPARISONS and self.turn():
                node.ops[at] = self.COMPARISONS[type(operator)]()
                self.what = "comparison"
        return node

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if type(node.op) in self.OPERATORS and self.turn():
            node.op = self.OPERATORS[type(node.op)]()
            self.what = "operator"
        return node

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        if self.turn():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            self.what = "junction"
        return node

    def visit_Name(self, node):
        if node.id in self.NAMES and self.turn():
            node.id = self.NAMES[node.id]
            self.what = "name"
        return node


class CodeGenerationTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        recipe = support.PLACE.project / "functions.toml"
        recipe.write_text(f'name = "functions"\ntemplate = "code-generation"\nrows = {N_ROWS}\n')
        command = [support.program(), "dataset", str(recipe)]
        subprocess.run(command, cwd=support.PLACE.project, env=support.PLACE.env, check=True, capture_output=True)
        import pyarrow.parquet

        [path] = (support.PLACE.project / ".luthier" / "datasets" / "functions").glob("*.parquet")
        cls.rows = pyarrow.parquet.read_table(path).to_pylist()

    def test_every_solution_passes_its_tests(self):
        self.assertEqual(len(self.rows), N_ROWS)
        for row in self.rows:
            self.assertTrue(passes(row["solution"], row["tests"]), row["solution"] + row["tests"])
            self.assertTrue(row["solution"].startswith(row["prompt"]))

    def test_a_changed_solution_fails(self):
        n_mutants, survivors = 0, []
        for row in self.rows:
            tree = ast.parse(row["solution"])
            for wanted in range(10):
                mutator = Mutator(wanted)
                mutant = ast.unparse(mutator.visit(copy.deepcopy(tree)))
                if mutator.what is None:
                    break
                n_mutants += 1
                if passes(mutant, row["tests"]):
                    survivors.append(mutant + "\n" + row["tests"])
        self.assertGreater(n_mutants, N_ROWS)
        # A few changes make no other function: the largest of a list in which all are equal, for one.
        self.assertLess(len(survivors), n_mutants / 50, "\n".join(survivors[:5]))

    def test_held_out_skeletons_are_not_in_training(self):
        train = {row["skeleton"] for row in self.rows if row["split"] == "train"}
        unseen = {row["skeleton"] for row in self.rows if row["part"] == "unseen-skeleton"}
        self.assertGreater(len(unseen), 10)
        self.assertFalse(train & unseen)


if __name__ == "__main__":
    unittest.main()
