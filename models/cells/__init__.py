"""Recurrent cells by name. A new one is a class with one line of `register`, in a module that is imported here."""

from models.cells.base import CELLS, Cell, CellState, HiddenState, make_cell, register
from models.cells.classic import ChoGRU
from models.cells.clockwork import Clockwork, ClockworkState
from models.cells.elementwise import SSRU, MinGRU
from models.cells.fused import GRU, LSTM, SRN, LSTMState, ReLUSRN
from models.cells.reservoir import EchoState

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "SRN",
    "SSRU",
    "Cell",
    "CellState",
    "ChoGRU",
    "Clockwork",
    "ClockworkState",
    "EchoState",
    "HiddenState",
    "LSTMState",
    "MinGRU",
    "ReLUSRN",
    "make_cell",
    "register",
]
