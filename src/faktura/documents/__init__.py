"""Files of invoices that speak no provider's dialect, in and out."""
