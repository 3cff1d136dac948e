"""What a call, a unit or a case is, by the statements that hold: one pure function a kind."""
