"""The entitlement checker: who may have what, asked at the request and again just before the delivery."""
