"""What a call of a public function means, and what is said when it is wrong."""
