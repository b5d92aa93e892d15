"""Resources: what can be read by address, as text or JSON, and watched while it changes."""
