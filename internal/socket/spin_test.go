package socket

import "testing"

// inUse is a connection on which something was read, as the last of a server's.
func inUse(lone *Lone) *spin {
	s := &spin{lone: lone}
	s.came()
	s.came()
	return s
}

func TestOnlyALoneConnectionSpins(t *testing.T) {
	t.Parallel()
	lone := &Lone{}
	fresh := &spin{lone: lone}
	if fresh.worth() {
		t.Error("a connection that nothing came on yet spins")
	}
	one := inUse(lone)
	if !one.worth() {
		t.Error("the one connection in use does not spin")
	}
	other := &spin{lone: lone}
	other.came()
	one.came()
	other.came()
	if one.worth() || other.worth() {
		t.Error("connections that take turns spin")
	}
	one.came()
	one.came()
	if !one.worth() {
		t.Error("a connection does not spin when the other one is silent")
	}
	if inUse(&Lone{never: true}).worth() {
		t.Error("a connection spins where there is one processor")
	}
}

func TestSpinningInVainBecomesRare(t *testing.T) {
	t.Parallel()
	s := inUse(&Lone{})
	const messages = 100_000
	spun := 0
	for range messages {
		if s.worth() {
			spun++
			s.ended(false)
		}
	}
	if most := messages/longestRest + 20; spun > most {
		t.Errorf("spun in vain %d times for %d messages, want %d at most", spun, messages, most)
	}
}

func TestSpinningThatMostlyServesGoesOn(t *testing.T) {
	t.Parallel()
	s := inUse(&Lone{})
	const messages = 10_000
	spun := 0
	for i := range messages {
		if s.worth() {
			spun++
			s.ended(i%10 > 0)
		}
	}
	if least := messages * 8 / 10; spun < least {
		t.Errorf("spun %d times for %d messages of which nine of ten came soon, want %d at least", spun, messages, least)
	}
}
