from fusible.report.card import model_card
from fusible.types import Problem


def test_card_gives_scores_data_limits_and_command(study):
    result = study("multiclass", classes=30)
    card = model_card(result)
    assert card.startswith(f"# Model of answer\n\n{result.statement}\n")
    row = result.strategy("feature:concat")
    low, high = f"{row.test.low:.3f}", f"{row.test.high:.3f}"
    assert f"| feature:concat (chosen by auto) | {row.test.score:.3f} | {low} to {high} | 24,690 |" in card
    assert "class 19 and 10 more" in card
    assert "- Rows: 1,400 train, 300 valid, 300 test" in card
    assert "- unreadable: 2 pictures cannot be decoded: truncated" in card
    assert "\n    fusible compare table.csv --target answer --seed 0 -o study\n" in card
    assert "fusible 0.1.0, torch 2.13.0" in card


def test_text_of_the_user_cannot_change_the_page(study):
    attack = "a|b\n# <script>*x*</script> [y](z)"
    result = study(target=attack, problems=[Problem("odd", "c", attack)])
    card = model_card(result)
    assert "<script>" not in card.replace("\\<script\\>", "")
    assert "\n# \\<" not in card
    assert r"a\|b \# \<script\>\*x\*\</script\> \[y\](z)" in card


def test_regression_has_no_classes(study):
    card = model_card(study("regression"))
    assert "Classes" not in card
    assert "- Task: regression, target answer" in card
