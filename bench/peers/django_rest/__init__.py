"""Django REST framework, on gunicorn."""
