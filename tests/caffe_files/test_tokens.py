"""Lines of layers and fields in a prototxt."""

from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe.tokens import Lines, field_lines, layer_places, tokens

NET = """name: "layer { not: one }" # layer { nor: this }
layer {
  name: "data"  type: "Data"
  top: "data"
  top: 'label'
  data_param: {
    source: "a" # }
      "b"
  }
}
layer { name: "ip" bottom: ["data",
   "label"] param { lr_mult: 1 } param
   { lr_mult: 2 }
}
state { phase: TEST }
"""


def test_layers_are_found_with_the_lines_of_their_fields() -> None:
    data, ip = layer_places(NET)
    assert (data.line, ip.line) == (2, 11)
    assert data.fields["top"] == [4, 5]
    assert data.line_of("data_param.source") == 7
    assert ip.fields["bottom"] == [11, 12]
    assert ip.fields["param.lr_mult"] == [12, 13]
    assert ip.line_of("top") == 11


def test_top_level_fields_are_found() -> None:
    assert field_lines("net: 'a'\n\ntest_iter: 1 test_iter: 2\ntrain_state { level: 1 }") == {
        "net": [1],
        "test_iter": [3, 3],
        "train_state": [4],
    }


def test_line_and_column_count_from_one() -> None:
    lines = Lines("ab\n\nc")
    assert [lines.at(offset) for offset in range(5)] == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]


@given(st.text(alphabet="{}[]<>:;,\"'#\\ \nab1"))
def test_no_text_breaks_it(text: str) -> None:
    for token in tokens(text):
        assert text[token.offset :].startswith(token.text) and token.text
    layer_places("layer {" + text)
    assert all(line <= text.count("\n") + 1 for lines in field_lines(text).values() for line in lines)
