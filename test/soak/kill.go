package main

// step is called at each step that a root takes.
func (s *soak) step() {}
