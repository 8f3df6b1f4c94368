import torch

from data.collate import collate


def test_sources_are_padded_and_targets_shifted() -> None:
    batch = collate([[4, 10, 3], [5, 10, 11, 12, 3]], [[20, 21], [22]], 0, [7, 9])
    assert batch.source_BS.tolist() == [[4, 10, 3, 0, 0], [5, 10, 11, 12, 3]]
    assert batch.source_length_B.tolist() == [3, 5]
    assert batch.target_input_BT.tolist() == [[2, 20, 21], [2, 22, 0]]
    assert batch.target_output_BT.tolist() == [[20, 21, 3], [22, 3, 0]]
    assert batch.target_length_B.tolist() == [3, 2]
    assert batch.pairs == (7, 9)
    assert all(tensor.dtype == torch.int64 for tensor in batch[:5])


def test_an_empty_target_is_eos_alone() -> None:
    batch = collate([[4, 3]], [[]])
    assert batch.target_input_BT.tolist() == [[2]]
    assert batch.target_output_BT.tolist() == [[3]]
