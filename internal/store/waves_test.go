package store

import "testing"

// hasTurn reports whether it is a wait's turn, and leaves it so.
func hasTurn(x *Wait) bool { return len(x.turn) == 1 }

// quiet is waves that only the test makes, and ends.
func quiet(t *testing.T) *Waves {
	t.Helper()
	s := open(t, Config{})
	w := new(Waves)
	w.init(s, s.Durable())
	return w
}

// count makes a wave and returns how many wait for it.
func count(w *Waves) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wave()
}

// TestIdleStreamsDelayNoWave waits in vain again and again, as idle streams do: nobody is left to be counted then.
func TestIdleStreamsDelayNoWave(t *testing.T) {
	t.Parallel()
	w := quiet(t)
	idle, stays := NewWait(), NewWait()
	for range 100 {
		w.Enter(idle, w.Newest())
		w.Leave(idle)
	}
	w.Enter(stays, w.Newest())
	if n := count(w); n != 1 {
		t.Errorf("a wave found %d who wait, want 1", n)
	}
	w.Leave(stays)
	if n := count(w); n != 0 {
		t.Errorf("a wave found %d who wait, want none", n)
	}
}

// TestStreamsTakeTurns has many streams wait. A wave serves some of them at a time, and everybody once, whoever leaves meanwhile.
func TestStreamsTakeTurns(t *testing.T) {
	t.Parallel()
	w := quiet(t)
	var waits []*Wait
	for range 10 * w.turns {
		x := NewWait()
		w.Enter(x, w.Newest())
		waits = append(waits, x)
	}
	if n := count(w); n != len(waits) {
		t.Fatalf("a wave found %d who wait, want %d", n, len(waits))
	}
	gone := waits[len(waits)-1]
	w.Leave(gone) // its client went away
	served := map[*Wait]int{}
	for range waits[1:] {
		var one *Wait
		have := 0
		for _, x := range waits {
			if hasTurn(x) {
				have++
				one = x
			}
		}
		if have == 0 || have > w.turns {
			t.Fatalf("%d have their turn after %d were served, want 1 to %d", have, len(served), w.turns)
		}
		served[one]++
		if len(served)%2 == 0 {
			<-one.turn // as its goroutine does; the others leave without having noticed
		}
		w.Leave(one)
		w.Enter(one, w.Newest()) // for the next wave
	}
	if len(served) != len(waits)-1 || served[gone] != 0 {
		t.Errorf("%d were served, want all %d but the one that left", len(served), len(waits))
	}
	if len(w.over) != 1 {
		t.Error("the wave is not over when everybody was served")
	}
	if wave := <-w.long; wave.woken != len(waits) {
		t.Errorf("a wave of %d was told of, want %d", wave.woken, len(waits))
	}
	if n := count(w); n != len(served) {
		t.Errorf("the next wave found %d who wait, want %d", n, len(served))
	}
	for _, x := range waits {
		w.Leave(x)
	}
}

// TestALateStreamWaitsForNoWave enters with entries to be read.
func TestALateStreamWaitsForNoWave(t *testing.T) {
	t.Parallel()
	w := quiet(t)
	x := NewWait()
	for range 3 {
		w.Enter(x, w.Newest()-1)
		if !hasTurn(x) {
			t.Fatal("a stream that is behind has to wait")
		}
		w.Leave(x)
	}
	if hasTurn(x) || count(w) != 0 {
		t.Error("something is left of a wait that was left")
	}
}

// TestNothingIsShownInThePause has something become durable while a long wave is served. It is shown to all alike, after the pause.
func TestNothingIsShownInThePause(t *testing.T) {
	t.Parallel()
	w := quiet(t)
	var waits []*Wait
	for range w.turns + 1 {
		x := NewWait()
		w.Enter(x, w.Newest())
		waits = append(waits, x)
	}
	w.announce()
	for _, x := range waits {
		w.Leave(x)
		w.Enter(x, w.Newest())
	}
	w.announce()
	for _, x := range waits {
		if hasTurn(x) {
			t.Fatal("a stream has its turn in the pause")
		}
	}
	<-w.long
	w.resume()
	for _, x := range waits[:w.turns] {
		if !hasTurn(x) {
			t.Error("a stream has no turn after the pause, though something became durable in it")
		}
	}
	for _, x := range waits {
		w.Leave(x)
	}
}
