"""The oci room."""
