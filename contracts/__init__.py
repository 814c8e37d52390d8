"""What services say to one another: identifiers, reasons, messages and the envelope around them."""
